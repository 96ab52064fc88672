"""The shop's API: a dozen endpoints by Django REST framework, and their OpenAPI description."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework import routers, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from shop.models import Customer, Order


class OrderSerializer(serializers.ModelSerializer):
    class Meta:
        model = Order
        fields = ["id", "item", "number"]


class CustomerSerializer(serializers.ModelSerializer):
    class Meta:
        model = Customer
        fields = ["id", "name"]


class OrderViews(viewsets.ModelViewSet):
    queryset = Order.objects.order_by("pk")
    serializer_class = OrderSerializer

    @action(detail=False)
    def last(self, request):
        return Response(OrderSerializer(Order.objects.order_by("-pk")[:3], many=True).data)


class CustomerViews(viewsets.ModelViewSet):
    queryset = Customer.objects.order_by("pk")
    serializer_class = CustomerSerializer


router = routers.SimpleRouter()
router.register("orders", OrderViews)
router.register("customers", CustomerViews)

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view()),
    path("", include(router.urls)),
]
