"""Makes the secrets of this installation, once: the API token, the passwords of Redis and the database.

    python generate.py FOLDER

A secret that is there already is kept. The folder is a volume: the service, Prometheus and Alertmanager
read the token there, the service, Redis and the database the passwords, which nobody else may.
"""

import os
import secrets
import sys
from pathlib import Path


def write(path: Path, text: str, mode: int) -> None:
    """A file that is there with all of its text, or not at all, whenever this is interrupted."""
    new = path.with_name(f".{path.name}")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text)
    new.chmod(mode)
    new.replace(path)


def secret(path: Path, mode: int) -> str:
    """What the file holds; made, if there is no such file."""
    if not path.exists():
        write(path, secrets.token_urlsafe(32), mode)
    return path.read_text()


def main(folder: Path) -> None:
    """Make what is missing."""
    os.umask(0)
    secret(folder / "retryscope_api_token", 0o444)
    password = secret(folder / "retryscope_engine_password", 0o440)
    secret(folder / "retryscope_database_password", 0o440)
    write(folder / "redis.conf", f"requirepass {password}\n", 0o440)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
