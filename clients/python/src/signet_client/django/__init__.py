"""Django REST framework on djangorestframework-simplejwt, with Signet's tokens: at the end of settings.py,

    from signet_client.django.settings import use_signet
    use_signet(globals(), issuer="https://auth.example.com", audience="shop")
"""
