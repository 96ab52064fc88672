"""Where each page is."""

from django.conf import settings
from django.urls import include, path

from shop import views

urlpatterns = [
    path("orders/", views.orders),
    path("checkout/", views.checkout),
    path("audit/", views.audit),
]
if "rest_framework" in settings.INSTALLED_APPS:
    urlpatterns.append(path("api/", include("shop.api")))
