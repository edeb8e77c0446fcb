"""Asks Django's ORM in callbacks, as any Django code does."""

import threading

from bokeh.io import curdoc
from bokeh.models import Button, Div
from django.contrib.auth import get_user_model
from django.db import connection

answer = Div(name="answer", text=str(get_user_model().objects.count()))
ask, ask_async = Button(name="ask"), Button(name="ask_async")


def count(event):
    users = get_user_model().objects
    users.create(username=f"made in {threading.get_ident()} {users.count()}")
    answer.text = f"{users.count()}"
    answer.tags = [threading.get_ident(), connection.connection is not None]


async def count_async(event):
    answer.text = f"{await get_user_model().objects.acount()} async"


ask.on_event("button_click", count)
ask_async.on_event("button_click", count_async)
for root in (answer, ask, ask_async):
    curdoc().add_root(root)
