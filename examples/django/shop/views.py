"""The shop's pages."""

import threading

from django.http import HttpResponse

from shop.models import Order

CLOSING = threading.Event()
"""The shop closes: what audits shall stop."""


def orders(request):
    """How many orders there are."""
    return HttpResponse("%d orders" % Order.objects.count())


def checkout(request):
    """Take an order; a thread looks over it later, and nothing waits for that thread."""
    order = Order.objects.create(item="tea")
    threading.Thread(target=look_over, args=(order.pk,), name="look-over").start()
    return HttpResponse("order %d" % order.pk)


def look_over(pk):
    """Look over an order. What is opened here is not closed."""
    Order.objects.filter(pk=pk).update(number=2)


def audit(request):
    """Begin an audit that goes on until the shop closes."""
    begun = threading.Event()
    threading.Thread(target=go_on_auditing, args=(begun,), name="audit", daemon=True).start()
    begun.wait(10)
    return HttpResponse("begun")


def go_on_auditing(begun):
    """Count the orders, and wait with the connection in the hand."""
    Order.objects.count()
    begun.set()
    CLOSING.wait()
