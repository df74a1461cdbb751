"""show or empty the cache of compiled models

The cache is safe to delete at any time. TENON_CACHE_DIR moves it; the default is $XDG_CACHE_HOME/tenon or
~/.cache/tenon. What was not used for longest goes when it grows beyond TENON_CACHE_LIMIT bytes (default 4 GiB).
"""
import os

from ..model import cache_folder


def add_arguments(parser):
    parser.add_argument("action", choices=["show", "clear", "path"], nargs="?", default="show",
                        help="show sizes (default), clear all, or print the folder")


def measure(folder, remove=False):
    """(files, bytes) in the cache, which others may be changing."""
    count = size = 0
    for base, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(base, name)
            try:
                size += os.lstat(path).st_size
                if remove:
                    os.unlink(path)
                count += 1
            except FileNotFoundError:
                pass
    return count, size


def main(options):
    folder = cache_folder()
    if options.action == "path":
        print(folder)
        return
    count, size = measure(folder, options.action == "clear")
    print(f"{folder}: {count} files, {size / 2**20:.1f} MiB{', removed' if options.action == 'clear' else ''}")
