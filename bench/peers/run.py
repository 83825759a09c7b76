"""Times ddpm against what people use instead, on the same networks with the same weights, in interleaved rounds.

    bench/peers/run [prepare] [measure] [append] [option]...        without a word: prepare measure

prepare   makes the networks and converts them for every engine, below --work; once, some minutes and gigabytes
measure   times every engine: --nets cifar10,celebahq,openai64,lucid64  --batch 1,4,16  --threads 1,2  --rounds 7
append    writes all that was measured since the last append to bench/log/DATE-peers.md
--isa avx2      holds ours and the peers to AVX2 (isa.py says how)
--engines LIST  only these peers
--ddpm BUILD    the folder of ddpm and ddpm-bench; build
GUIDED_DIFFUSION  in the environment: a checkout of openai/guided-diffusion, for openai64
--window A,B    on a machine that others use too: commands that start a program when it is this one's turn, A to load, B to time

Each engine is a process of its own and stopped while another has its turn.  A turn is one untimed step and as many timed as fill
half a second.  The table: minimum over all steps, median of the rounds' medians, ours / it (minima), largest difference from a run in double.
An engine that cannot be had or cannot run a network is said to be missing, and why.  Only float32; ncnn takes one image after the other.
"""
import argparse, datetime, importlib.metadata, json, os, platform, signal, statistics, subprocess, sys, time
import numpy as np
import engines, isa, nets

HERE = os.path.dirname(os.path.abspath(__file__))
TURN, WINDOW = 0.5, 140                                          # seconds


class Missing(Exception):
    pass


class Peer:
    def __init__(self, name, spec, env):
        self.name, self.steps, self.milliseconds = name, 1, []
        failed = spec["base"] + engines.ENGINES[name][1] + ".failed"
        if os.path.exists(failed):
            with open(failed) as f:
                raise Missing("not converted: " + f.read())
        log = f"{spec['base']}.{name.replace(' ', '-')}.log"
        with open(log, "w") as f:
            self.process = subprocess.Popen([sys.executable, f"{HERE}/engines.py", name, json.dumps(spec)], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=f, text=True, env=env)
        line = self.process.stdout.readline()
        if not line:
            with open(log) as f:
                raise Missing((f.read().strip().splitlines() or [f"ended with {self.process.wait()}"])[-1][:200])
        self.out = json.loads(line)["out"]
        self.process.send_signal(signal.SIGSTOP)

    def turn(self):
        self.process.send_signal(signal.SIGCONT)
        print(self.steps + 1, file=self.process.stdin, flush=True)
        each = json.loads(self.process.stdout.readline())[1:]
        self.process.send_signal(signal.SIGSTOP)
        self.steps = max(1, int(1e3 * TURN / each[-1]))
        self.milliseconds.append(each)

    def close(self):
        self.process.kill()
        self.process.wait()


class Ours:
    name = "ddpm"

    def __init__(self, spec, build, cpu, env):
        base, self.steps, self.milliseconds, self.env = spec["base"], 1, [], env
        common = ["--threads", str(spec["threads"])] + (["--cpu", cpu] if cpu else [])
        self.bench = [f"{build}/ddpm-bench", "net", base + ".ddpm", "--batch", str(spec["batch"]), "--json", *common, "--steps"]
        forward = [f"{build}/ddpm", "forward", base + ".ddpm", base + ".safetensors", "--tolerance", "1e30", "--force", "-q", "-o", base + ".out", *common]
        subprocess.run(forward, check=True, env=env)
        from safetensors.numpy import load_file
        self.out = base + ".ddpm.npy"
        np.save(self.out, load_file(base + ".out")["out"])

    def turn(self):
        text = subprocess.run(self.bench + [str(self.steps)], check=True, capture_output=True, text=True, env=self.env).stdout
        told = json.loads(text.splitlines()[-1])
        self.steps = max(1, int(1e3 * TURN / told["ms_step_min"]))
        self.milliseconds.append([told["ms_step_min"], told["ms_step_median"], told["ms_step_median"]])

    def close(self):
        pass


class Window:
    """While it is open it is our turn: `CMD cat` answers once CMD has started cat, and ends with its input."""
    def __init__(self, command):
        self.command, self.process = command.split(), None

    def open(self):
        if self.command and not self.process:
            self.process = subprocess.Popen([*self.command, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            print("", file=self.process.stdin, flush=True)
            self.process.stdout.readline()
        self.opened = time.monotonic()

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process = None


def rounds(running, count, window):
    window.open()
    longest = 0
    for _ in range(count):
        start = time.monotonic()
        if start - window.opened + longest > WINDOW:
            window.close()
            window.open()
            start = time.monotonic()
        for e in running:
            e.turn()
        longest = max(longest, time.monotonic() - start)
    window.close()


def compare(name, batch, threads, o, env):
    spec = {"net": name, "batch": batch, "threads": threads, "base": os.path.abspath(f"{o.work}/{name}-{batch}/net")}
    ours_env = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    loading = Window(o.window.split(",")[0])
    running, missing = [Ours(spec, o.ddpm, o.isa, ours_env)], {}
    try:
        for peer in o.engines.split(","):
            loading.open()
            try:
                running.append(Peer(peer, spec, dict(ours_env, **env, TORCHINDUCTOR_FREEZING="1",
                                                     TORCHINDUCTOR_CACHE_DIR=os.path.abspath(f"{o.work}/inductor-{o.isa}"))))
            except Missing as why:
                missing[peer] = str(why)
            loading.close()
        rounds(running, o.rounds, Window(o.window.split(",")[1]))
    finally:
        loading.close()
        for e in running:
            e.close()
    exact = np.load(spec["base"] + ".exact.npy")
    rows = [{"engine": e.name, "min": min(map(min, e.milliseconds)) / batch,
             "median": statistics.median(statistics.median(r) for r in e.milliseconds) / batch,
             "error": float(np.abs(np.load(e.out) - exact).max())} for e in running]
    return {"net": name, "batch": batch, "threads": threads, "isa": o.isa or "all", "rounds": o.rounds, "rows": rows, "missing": missing}


def table(m):
    lines = [f"{m['net']}, batch {m['batch']}, {m['threads']} thread{'s'[:m['threads'] > 1]}, instruction set "
             f"{'of the machine' if m['isa'] == 'all' else m['isa']}, {m['rounds']} rounds:", "",
             "| engine | min | median | ours / it | largest error |", "|---|---|---|---|---|"]
    ours = m["rows"][0]["min"]
    lines += [f"| {r['engine']} | {r['min']:.1f} | {r['median']:.1f} | {ours / r['min']:.2f} | {r['error']:.0e} |"
              for r in sorted(m["rows"], key=lambda r: r["min"])]
    lines += [f"\nMissing: {name}: {why}" for name, why in m["missing"].items()]
    return "\n".join(lines) + "\n"


def processor():
    with open("/proc/cpuinfo") as f:
        model = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
    return f"{len(model)} x {model[0]}" if model else platform.machine()


def append(measured):
    """Writes the tables of all that was measured to the log of this day, below what that log has."""
    with open(measured) as f:
        found = [json.loads(line) for line in f]
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in dict.fromkeys(e[2] for e in engines.ENGINES.values()))
    log = f"bench/log/{datetime.date.today()}-peers.md"
    title = "##" if os.path.exists(log) else "#"
    with open(log, "a") as f:
        f.write(f"{title} Against the peers, {datetime.date.today()}\n\n"
                f"`bench/peers/run` on {processor()}: {versions}.\n"
                "Milliseconds an image and step, float32. avx2: ours by --cpu, PyTorch by its switches,\n"
                "MNN has nothing else, the others by CPUID (bench/peers/isa.py).\n\n")
        f.write("\n".join(table(m) for m in found))
    os.remove(measured)


def options():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("what", nargs="*")
    p.add_argument("--nets", default="cifar10,celebahq")
    p.add_argument("--batch", default="1,4,16")
    p.add_argument("--threads", default="1,2")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--isa", default="", choices=["", "avx2"])
    p.add_argument("--engines", default=",".join(engines.ENGINES))
    p.add_argument("--ddpm", default="build")
    p.add_argument("--work", default="build/peers")
    p.add_argument("--window", default=",")
    return p.parse_args()


def main():
    o = options()
    wanted = [(name, int(b)) for name in o.nets.split(",") for b in o.batch.split(",") if name == "cifar10" or b == "1"]
    measured = f"{o.work}/measured.jsonl"
    what = o.what or ["prepare", "measure"]
    os.environ["DDPM"] = os.path.abspath(o.ddpm)
    os.makedirs(o.work, exist_ok=True)
    env = isa.prepare(os.path.abspath(f"{o.work}/avx2")) if o.isa else {}
    if "prepare" in what:
        for name, batch in wanted:
            nets.prepare(name, batch, os.path.abspath(f"{o.work}/{name}-{batch}/net"))
    if "measure" in what:
        for name, batch in wanted:
            for threads in o.threads.split(","):
                m = compare(name, batch, int(threads), o, env)
                print(table(m), flush=True)
                with open(measured, "a") as f:
                    print(json.dumps(m), file=f)
    if "append" in what:
        append(measured)


if __name__ == "__main__":
    main()
