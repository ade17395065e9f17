from django.urls import path
from rest_framework.decorators import api_view
from rest_framework.response import Response
from rest_framework_simplejwt import views


@api_view()
def orders(request):
    """The API that must not change: who asks is a user of this database."""
    user = request.user
    return Response({"id": user.id, "username": user.username, "staff": user.is_staff, "groups": [g.name for g in user.groups.all()]})


urlpatterns = [
    path("orders/", orders),
    path("api/token/", views.TokenObtainPairView.as_view()),
    path("api/token/refresh/", views.TokenRefreshView.as_view()),
    path("api/token/verify/", views.TokenVerifyView.as_view()),
    path("api/token/blacklist/", views.TokenBlacklistView.as_view()),
]
