from journal import note


def on_session_destroyed(session_context):
    note("destroyed", session_context.request)
