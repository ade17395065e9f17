
# -- what this project sets beside what `django-admin startproject` made
import datetime, json, os
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS += ["rest_framework", "rest_framework_simplejwt.token_blacklist"]
DATABASES = {"default": json.loads(os.environ["SHOP_DATABASE"])}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
}
CORS_ALLOWED_ORIGINS = ["https://shop.example"]
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": datetime.timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": datetime.timedelta(days=2),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "UPDATE_LAST_LOGIN": True,
}
