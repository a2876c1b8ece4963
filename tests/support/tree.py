"""The project's own files, for tests that judge the tree."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "gateroom"


def modules(folder: Path) -> list[Path]:
    """Return the Python files below `folder`, sorted."""
    return sorted(folder.rglob("*.py"))


def project_files() -> list[Path]:
    """Return the files that are, or would be, in version control; of an unpacked archive, all that is not hidden."""
    git = shutil.which("git")
    if git is not None and (ROOT / ".git").exists():
        command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        return sorted({ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()})
    visible = (path for path in ROOT.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path for path in visible if not path.relative_to(ROOT).parts[0].startswith(".venv"))
