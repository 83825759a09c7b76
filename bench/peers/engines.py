"""One engine in a process of its own, as `run.py` starts it:  python engines.py NAME SPEC

SPEC is JSON: base (the path of the prepared files without their endings), batch, threads, net.  The process loads the network, runs
it twice, saves its output as an .npy file and says {"ready": seconds, "out": path}.  Then it answers every line N on its standard
input with the milliseconds of N steps, each timed alone.  Whatever the libraries print goes to standard error.
"""
import json, os, sys, time
import numpy as np


class Torch:
    def __init__(self, spec, x, t, channels_last=False, compiled=False):
        import torch, nets
        torch.set_num_threads(spec["threads"])
        net = nets.build(spec["net"])
        self.x, self.t = torch.from_numpy(x), torch.from_numpy(t)
        if channels_last:
            net.module.to(memory_format=torch.channels_last)
            self.x = self.x.to(memory_format=torch.channels_last)
        self.call = torch.compile(net.call) if compiled else net.call
        self.inference = torch.inference_mode

    def step(self):
        with self.inference():
            return self.call(self.x, self.t)

    def result(self):
        return self.step().numpy()


class OnnxRuntime:
    def __init__(self, spec, x, t):
        import onnxruntime as ort
        o = ort.SessionOptions()
        o.intra_op_num_threads, o.inter_op_num_threads = spec["threads"], 1
        o.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = ort.InferenceSession(spec["base"] + ".onnx", o, providers=["CPUExecutionProvider"])
        self.feed = {"x": x, "t": t}

    def step(self):
        return self.session.run(None, self.feed)[0]

    result = step


class OpenVino:
    def __init__(self, spec, x, t):
        import openvino as ov
        compiled = ov.Core().compile_model(spec["base"] + ".xml", "CPU", {
            "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": spec["threads"]})
        self.request = compiled.create_infer_request()
        self.request.set_input_tensor(0, ov.Tensor(x))
        self.request.set_input_tensor(1, ov.Tensor(t))

    def step(self):
        self.request.infer()

    def result(self):
        self.step()
        return self.request.get_output_tensor(0).data.copy()


class Mnn:
    def __init__(self, spec, x, t):
        import MNN
        config = {"backend": "CPU", "precision": "high", "numThread": spec["threads"]}
        self.net = MNN.nn.load_module_from_file(spec["base"] + ".mnn", ["x", "t"], ["out"],
                                                runtime_manager=MNN.nn.create_runtime_manager((config,)), shape_mutable=False)
        F = MNN.expr
        self.x = F.const(x, list(x.shape), F.NCHW)
        self.t = F.const(t.astype(np.int32), list(t.shape), F.NCHW, F.int)
        self.convert, self.layout = F.convert, F.NCHW

    def step(self):
        out = self.net.forward([self.x, self.t])[0]
        return self.convert(out, self.layout).read()          # a variable is computed when it is read

    def result(self):
        return np.array(self.step())


class Ncnn:
    """Takes one image at a time."""
    def __init__(self, spec, x, t):
        import ncnn
        self.net = ncnn.Net()
        o = self.net.opt
        o.num_threads = spec["threads"]
        for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage", "bf16_packed"):
            setattr(o, "use_" + name, False)
        o.use_winograd_convolution = o.use_sgemm_convolution = o.use_packing_layout = True
        self.net.load_param(spec["base"] + ".ncnn")
        self.net.load_model(spec["base"] + ".bin.ncnn")
        self.x = [ncnn.Mat(image).clone() for image in x]
        self.t = [ncnn.Mat(np.array([at], np.float32)).clone() for at in t]

    def step(self):
        out = []
        for x, t in zip(self.x, self.t):
            with self.net.create_extractor() as run:
                run.input("in0", x)
                run.input("in1", t)
                out.append(run.extract("out0")[1])
        return out

    def result(self):
        return np.stack([np.array(y) for y in self.step()])


# Name: what opens it, the file it needs and the package whose version is told.
ENGINES = {
    "MNN": (Mnn, ".mnn", "MNN"),
    "OpenVINO": (OpenVino, ".xml", "openvino"),
    "ONNX Runtime": (OnnxRuntime, ".onnx", "onnxruntime"),
    "ncnn": (Ncnn, ".ncnn", "ncnn"),
    "PyTorch eager": (Torch, ".exact.npy", "torch"),
    "PyTorch channels-last": (lambda *a: Torch(*a, channels_last=True), ".exact.npy", "torch"),
    "PyTorch compiled": (lambda *a: Torch(*a, compiled=True), ".exact.npy", "torch"),
}


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    name, spec = sys.argv[1], json.loads(sys.argv[2])
    base, start = spec["base"], time.perf_counter()
    engine = ENGINES[name][0](spec, np.load(base + ".x.npy"), np.load(base + ".t.npy"))
    engine.step()
    out = f"{base}.{name.replace(' ', '-')}.npy"
    np.save(out, engine.result())
    print(json.dumps({"ready": time.perf_counter() - start, "out": out}), file=answers)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            begin = time.perf_counter()
            engine.step()
            seconds.append(time.perf_counter() - begin)
        print(json.dumps([1e3 * s for s in seconds]), file=answers)


if __name__ == "__main__":
    main()
