# models.py of an application whose accounts are not Django's own: other names for everything, and a UUID for a key.
import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class Person(AbstractBaseUser, PermissionsMixin):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    address = models.EmailField(unique=True)
    enabled = models.BooleanField(default=True)
    chief = models.BooleanField(default=False)
    tenant = models.IntegerField(default=0)
    USERNAME_FIELD = "address"
    objects = BaseUserManager()
