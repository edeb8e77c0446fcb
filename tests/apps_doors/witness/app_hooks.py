from journal import note


def on_server_loaded(server_context):
    note("loaded")


def on_server_unloaded(server_context):
    note("unloaded")


async def on_session_created(session_context):
    note("created", session_context.request)


def on_session_destroyed(session_context):
    note("destroyed", session_context.request)


def process_request(request):
    return {"greeting": f"hello {request.headers.get('X-Name', 'stranger')}"}
