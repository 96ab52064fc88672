"""Where each page is."""

from django.urls import path

from shop import views

urlpatterns = [
    path("orders/", views.orders),
    path("checkout/", views.checkout),
    path("audit/", views.audit),
]
