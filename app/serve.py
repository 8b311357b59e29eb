"""The web process: uvicorn around the application."""

import uvicorn

from app.config import Settings
from app.log import start_logging
from app.main import application


def serve(settings: Settings) -> int:
    """Serve until told to stop; streams get their goodbye and requests 25 s to finish."""
    writer = start_logging(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            application(settings),
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=25,
        )
    )
    server.run()
    writer.flush()
    return 0 if server.started else 1
