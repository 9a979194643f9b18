"""Every stage of `make test`, one after the other, whatever the others say, and a summary of what failed."""
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
# One thread for each of the parallel jobs; whoever chose more threads gets fewer jobs, so that they never wait in line
THREADS = max(1, int(os.environ.get("OMP_NUM_THREADS", "1").split(",")[0] or 1))
EACH_JOB = {f"{library}_NUM_THREADS": str(THREADS) for library in ("OMP", "MKL", "OPENBLAS")}
# What MKL and torch compute on a processor that they do not know: other kernels, other last bits
OTHER_WEATHER = {"MKL_CBWR": "COMPATIBLE", "ATEN_CPU_CAPABILITY": "default"}


def stages(jobs: int, scratch: str) -> list[tuple[str, list[str], dict[str, str]]]:
    """Name, command and environment of each, cheap before dear."""
    pytest = [str(BIN / "python"), "-m", "pytest", "-q"]
    library = [str(BIN / "nbdev_test"), "--do_print", "--n_workers", str(jobs)]
    # What computes is run in another weather, what computes nothing in this one: the runner, its records, the widgets,
    # and what reads files. The experiments have a stage of their own.
    plain, found = ("companion", "explorer", "data"), sorted((ROOT / "nbs/lib").iterdir())
    skip = lambda names: f"^([_.]|({'|'.join(names)})$)"
    arithmetic = ["--path", "nbs/lib", "--skip_folder_re", skip(plain)]
    others = [p.name for p in found if p.is_dir() and p.name not in plain]
    the_rest = ["--path", "nbs", "--skip_file_re", skip(p.name for p in found if p.suffix == ".ipynb"),
                "--skip_folder_re", skip(["review", "latent_flows", "guides", *others])]
    # A file of tests that wait for other processes is the first of them; one worker more where each has one thread
    parallel = ["-n", str(jobs + (THREADS == 1)), "--dist", "loadfile", "--no-loadscope-reorder"]
    return [
        ("style: line length, imports, names", [str(BIN / "ruff"), "check", "."], {}),
        ("the rules of the house", [*pytest, "tests/test_hygiene.py"], {}),
        ("the index, and the library notebooks that compute nothing", [*library, *the_rest], EACH_JOB),
        ("the library notebooks that compute, in another weather", [*library, *arithmetic], EACH_JOB | OTHER_WEATHER),
        (
            "every experiment, profile smoke",
            [str(BIN / "symnb"), "figures", "--profile", "smoke", "--jobs", str(jobs), "--out", scratch],
            {},
        ),
        ("exact facts in another weather", [*pytest, "tests", "-m", "exact", *parallel], EACH_JOB | OTHER_WEATHER),
        (
            "all other tests",
            [*pytest, "tests", "-m", "not exact", "--ignore", "tests/test_hygiene.py", "--durations", "40", *parallel],
            EACH_JOB,
        ),
    ]


def main(jobs: int) -> int:
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        listed = stages(jobs, scratch)
        for number, (name, command, environment) in enumerate(listed, 1):
            print(f"[{number}/{len(listed)}] {name}", flush=True)
            begin = time.monotonic()
            try:
                code = subprocess.run(command, cwd=ROOT, env=os.environ | environment).returncode
            except OSError as error:  # a tool is missing
                print(error)
                code = 127
            results.append((name, code, time.monotonic() - begin))
    print("\nSummary")
    for name, code, seconds in results:
        print(f"{'passed' if code == 0 else 'FAILED':7} {name} ({seconds:.0f} s)")
    failed = [name for name, code, _ in results if code]
    print(
        f"\n{len(failed)} of {len(results)} stages failed: {', '.join(failed)}" if failed else "\nEvery stage passed."
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(max(1, int(sys.argv[1] if len(sys.argv) > 1 else 2) // THREADS)))
