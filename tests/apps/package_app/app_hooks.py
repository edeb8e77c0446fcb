from .shapes.round import area


def on_session_created(session_context):
    area(1)
