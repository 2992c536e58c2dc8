"""Serves folders of numbered PNGs as H.264 over RTSP. Run by a Python that has PyGObject (`gi`), not by the venv.

usage: rtsp_server.py PORT FRAMES_PER_SECOND KILOBITS NAME=FOLDER ...
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def main() -> None:
    """Serves until it is stopped."""
    port, rate, kilobits, *mounts = sys.argv[1:]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    for mount in mounts:
        name, _, folder = mount.partition("=")
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(
            f'( multifilesrc location="{folder}/%05d.png" index=0 caps="image/png,framerate={rate}/1" ! pngdec '
            f"! videoconvert ! video/x-raw,format=I420 ! x264enc tune=zerolatency bitrate={kilobits} key-int-max=20 "
            "! rtph264pay name=pay0 pt=96 )"
        )
        server.get_mount_points().add_factory(f"/{name}", factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


main()
