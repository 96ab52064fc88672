"""What the shop sells, and to whom."""

from django.db import models


class Order(models.Model):
    """One order of one thing."""

    item = models.CharField(max_length=100)
    number = models.PositiveIntegerField(default=1)


class Customer(models.Model):
    """One who buys."""

    name = models.CharField(max_length=100)
