"""Serves files of raw I420 pictures as H.264 over RTSP. Run by a Python that has PyGObject (`gi`), not by the venv.

usage: rtsp_server.py PORT FRAMES_PER_SECOND KILOBITS WIDTH HEIGHT NAME=FILE ...
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def main() -> None:
    """Serves until it is stopped."""
    port, rate, kilobits, width, height, *mounts = sys.argv[1:]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    for mount in mounts:
        name, _, path = mount.partition("=")
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(
            f'( filesrc location="{path}" ! rawvideoparse width={width} height={height} format=i420 '
            f"framerate={rate}/1 ! x264enc tune=zerolatency bitrate={kilobits} key-int-max=20 threads=1 "
            "! rtph264pay name=pay0 pt=96 )"
        )
        server.get_mount_points().add_factory(f"/{name}", factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


main()
