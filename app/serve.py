"""The web process: uvicorn around the application."""

from types import FrameType

import uvicorn

from app.config import MISCONFIGURED, Settings
from app.log import start_logging
from app.main import Lived, application


class Server(uvicorn.Server):
    """Says at the first signal that it drains, and says goodbye to event streams, which would hold it."""

    app: Lived

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop (chapter 90 rule 2)."""
        self.app.drain()
        super().handle_exit(sig, frame)


def serve(settings: Settings) -> int:
    """Serve until told to stop; streams get their goodbye and requests 25 s to finish."""
    writer = start_logging(settings)
    app = application(settings)
    server = Server(
        uvicorn.Config(
            app,
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
    server.app = app
    try:
        server.run()
    except SystemExit:
        # uvicorn leaves so when the start failed, always with its own code.
        if app.is_refused:
            return MISCONFIGURED
        raise
    finally:
        writer.flush()
    return 0 if server.started else 1
