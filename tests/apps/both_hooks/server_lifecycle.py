def on_session_created(session_context):
    pass
