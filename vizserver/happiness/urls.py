"""The pages: oneself, one's team, the company."""

from django.urls import path

from .views import ReportView

app_name = "happiness"

urlpatterns = [
    path("", ReportView.as_view(page="me"), name="me"),
    path("team/", ReportView.as_view(page="team"), name="team"),
    path("company/", ReportView.as_view(page="company"), name="company"),
]
