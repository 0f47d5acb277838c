"""LLVM IR of the function that XLA calls for a kernel.

The chunks of a phase are claimed one by one by the calling thread and by helpers on XLA's own thread pool. The caller
waits only for chunks that a running thread has claimed, so a busy pool costs time and never blocks. A helper that starts
late finds nothing to claim; it touches the shared state alone, which its last user frees.
"""

from string import Template

from ._interface import Interface
from ._kernel import Kernel

# The exported symbol.
HANDLER = "irreps_handler"
# Rounds of waiting with a pause instruction before the waiting thread offers its core to others.
_SPINS = 2000

_PAUSES = {
    "x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "aarch64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
}


class _IrTemplate(Template):
    """A template whose names are those of :class:`Interface`."""

    idpattern = r"[A-Za-z][A-Za-z0-9_.]*"


# The state of a phase. Counters that threads contend for have cache lines of their own.
_RUNTIME = _IrTemplate("""
%irreps.state = type { i64, [15 x i64], i64, [15 x i64], i64, i64, ptr, ptr }
; 0 next chunk, 2 chunks done, 4 users of this state, 5 number of chunks, 6 phase, 7 its frame

declare ptr @malloc(i64)
declare void @free(ptr)
declare i32 @${yield}()
${declare_pause}

define internal void @irreps.work(ptr %state) {
entry:
  %done.at = getelementptr %irreps.state, ptr %state, i64 0, i32 2
  %chunks.at = getelementptr %irreps.state, ptr %state, i64 0, i32 5
  %phase.at = getelementptr %irreps.state, ptr %state, i64 0, i32 6
  %frame.at = getelementptr %irreps.state, ptr %state, i64 0, i32 7
  %chunks = load i64, ptr %chunks.at
  %phase = load ptr, ptr %phase.at
  %frame = load ptr, ptr %frame.at
  br label %claim
claim:
  %mine = phi i64 [ 0, %entry ], [ %mine.next, %run ]
  %chunk = atomicrmw add ptr %state, i64 1 monotonic, align 8
  %left = icmp slt i64 %chunk, %chunks
  br i1 %left, label %run, label %end
run:
  call void %phase(i64 %chunk, ptr %frame)
  %mine.next = add i64 %mine, 1
  br label %claim
end:
  ; Release: the caller, which acquires, sees the results of all chunks.
  %before = atomicrmw add ptr %done.at, i64 %mine release, align 8
  ret void
}

define internal void @irreps.leave(ptr %state) {
entry:
  %users.at = getelementptr %irreps.state, ptr %state, i64 0, i32 4
  %users = atomicrmw sub ptr %users.at, i64 1 acq_rel, align 8
  %last = icmp eq i64 %users, 1
  br i1 %last, label %delete, label %end
delete:
  call void @free(ptr %state)
  br label %end
end:
  ret void
}

define internal void @irreps.helper(ptr %state) {
  call void @irreps.work(ptr %state)
  call void @irreps.leave(ptr %state)
  ret void
}

define internal void @irreps.discard(ptr %api, ptr %error) {
  %arguments = alloca [${sizeof.Error_Destroy_Args} x i8], align 8
  call void @llvm.memset.p0.i64(ptr %arguments, i8 0, i64 ${sizeof.Error_Destroy_Args}, i1 false)
  store i64 ${sizeof.Error_Destroy_Args}, ptr %arguments
  %error.at = getelementptr i8, ptr %arguments, i64 ${Error_Destroy_Args.error}
  store ptr %error, ptr %error.at
  %function.at = getelementptr i8, ptr %api, i64 ${Api.Error_Destroy}
  %function = load ptr, ptr %function.at
  call void %function(ptr %arguments)
  ret void
}

define internal ptr @irreps.fail(ptr %api, ptr %message) {
  %arguments = alloca [${sizeof.Error_Create_Args} x i8], align 8
  call void @llvm.memset.p0.i64(ptr %arguments, i8 0, i64 ${sizeof.Error_Create_Args}, i1 false)
  store i64 ${sizeof.Error_Create_Args}, ptr %arguments
  %message.at = getelementptr i8, ptr %arguments, i64 ${Error_Create_Args.message}
  store ptr %message, ptr %message.at
  %code.at = getelementptr i8, ptr %arguments, i64 ${Error_Create_Args.errc}
  store i32 ${Error_Code_INVALID_ARGUMENT}, ptr %code.at
  %function.at = getelementptr i8, ptr %api, i64 ${Api.Error_Create}
  %function = load ptr, ptr %function.at
  %error = call ptr %function(ptr %arguments)
  ret ptr %error
}

; 0 where there is no pool.
define internal i64 @irreps.threads(ptr %api, ptr %context) {
entry:
  %number = alloca i64, align 8
  store i64 0, ptr %number
  %arguments = alloca [${sizeof.ThreadPool_NumThreads_Args} x i8], align 8
  call void @llvm.memset.p0.i64(ptr %arguments, i8 0, i64 ${sizeof.ThreadPool_NumThreads_Args}, i1 false)
  store i64 ${sizeof.ThreadPool_NumThreads_Args}, ptr %arguments
  %context.at = getelementptr i8, ptr %arguments, i64 ${ThreadPool_NumThreads_Args.ctx}
  store ptr %context, ptr %context.at
  %number.at = getelementptr i8, ptr %arguments, i64 ${ThreadPool_NumThreads_Args.num_threads}
  store ptr %number, ptr %number.at
  %function.at = getelementptr i8, ptr %api, i64 ${Api.ThreadPool_NumThreads}
  %function = load ptr, ptr %function.at
  %error = call ptr %function(ptr %arguments)
  %failed = icmp ne ptr %error, null
  br i1 %failed, label %discard, label %end
discard:
  call void @irreps.discard(ptr %api, ptr %error)
  ret i64 0
end:
  %threads = load i64, ptr %number
  ret i64 %threads
}

define internal void @irreps.serially(i64 %chunks, ptr %phase, ptr %frame) {
entry:
  br label %next
next:
  %chunk = phi i64 [ 0, %entry ], [ %chunk.next, %run ]
  %left = icmp slt i64 %chunk, %chunks
  br i1 %left, label %run, label %end
run:
  call void %phase(i64 %chunk, ptr %frame)
  %chunk.next = add i64 %chunk, 1
  br label %next
end:
  ret void
}

define internal void @irreps.run(ptr %api, ptr %context, i64 %chunks, ptr %phase, ptr %frame) {
entry:
  %arguments = alloca [${sizeof.ThreadPool_Schedule_Args} x i8], align 8
  %single = icmp slt i64 %chunks, 2
  br i1 %single, label %serially, label %ask
ask:
  %threads = call i64 @irreps.threads(ptr %api, ptr %context)
  %fewer = icmp slt i64 %threads, %chunks
  %workers = select i1 %fewer, i64 %threads, i64 %chunks
  %alone = icmp slt i64 %workers, 2
  br i1 %alone, label %serially, label %allocate
allocate:
  %size.at = getelementptr %irreps.state, ptr null, i64 1
  %size = ptrtoint ptr %size.at to i64
  %state = call ptr @malloc(i64 %size)
  %none = icmp eq ptr %state, null
  br i1 %none, label %serially, label %prepare
serially:
  call void @irreps.serially(i64 %chunks, ptr %phase, ptr %frame)
  ret void
prepare:
  %done.at = getelementptr %irreps.state, ptr %state, i64 0, i32 2
  %users.at = getelementptr %irreps.state, ptr %state, i64 0, i32 4
  %chunks.at = getelementptr %irreps.state, ptr %state, i64 0, i32 5
  %phase.at = getelementptr %irreps.state, ptr %state, i64 0, i32 6
  %frame.at = getelementptr %irreps.state, ptr %state, i64 0, i32 7
  store i64 0, ptr %state
  store i64 0, ptr %done.at
  store i64 %workers, ptr %users.at
  store i64 %chunks, ptr %chunks.at
  store ptr %phase, ptr %phase.at
  store ptr %frame, ptr %frame.at
  call void @llvm.memset.p0.i64(ptr %arguments, i8 0, i64 ${sizeof.ThreadPool_Schedule_Args}, i1 false)
  store i64 ${sizeof.ThreadPool_Schedule_Args}, ptr %arguments
  %context.at = getelementptr i8, ptr %arguments, i64 ${ThreadPool_Schedule_Args.ctx}
  store ptr %context, ptr %context.at
  %task.at = getelementptr i8, ptr %arguments, i64 ${ThreadPool_Schedule_Args.task}
  store ptr @irreps.helper, ptr %task.at
  %data.at = getelementptr i8, ptr %arguments, i64 ${ThreadPool_Schedule_Args.data}
  store ptr %state, ptr %data.at
  %function.at = getelementptr i8, ptr %api, i64 ${Api.ThreadPool_Schedule}
  %function = load ptr, ptr %function.at
  br label %schedule
schedule:
  %helper = phi i64 [ 1, %prepare ], [ %helper.next, %scheduled ]
  %missing = icmp slt i64 %helper, %workers
  br i1 %missing, label %ask.pool, label %work
ask.pool:
  %error = call ptr %function(ptr %arguments)
  %failed = icmp ne ptr %error, null
  br i1 %failed, label %refused, label %scheduled
refused:
  call void @irreps.discard(ptr %api, ptr %error)
  call void @irreps.leave(ptr %state)
  br label %scheduled
scheduled:
  %helper.next = add i64 %helper, 1
  br label %schedule
work:
  call void @irreps.work(ptr %state)
  br label %wait
wait:
  %spins = phi i64 [ 0, %work ], [ %spins.next, %pause ], [ %spins.next, %yield ]
  %spins.next = add i64 %spins, 1
  %done = load atomic i64, ptr %done.at acquire, align 8
  %complete = icmp sge i64 %done, %chunks
  br i1 %complete, label %leave, label %wait.longer
wait.longer:
  %short = icmp slt i64 %spins, ${spins}
  br i1 %short, label %pause, label %yield
pause:
  ${pause}
  br label %wait
yield:
  %yielded = call i32 @${yield}()
  br label %wait
leave:
  call void @irreps.leave(ptr %state)
  ret void
}

declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
""")

_HANDLER = _IrTemplate("""
${declarations}
@irreps.message = private unnamed_addr constant [${message_size} x i8] c"${message}\\00"

define ptr @${handler}(ptr %call) {
entry:
  %frame = alloca [${entries} x i64], align 8
  %api.at = getelementptr i8, ptr %call, i64 ${CallFrame.api}
  %api = load ptr, ptr %api.at
  %context.at = getelementptr i8, ptr %call, i64 ${CallFrame.ctx}
  %context = load ptr, ptr %context.at
  %extension.at = getelementptr i8, ptr %call, i64 ${CallFrame.extension_start}
  %extension.first = load ptr, ptr %extension.at
  br label %extensions
extensions:
  %extension = phi ptr [ %extension.first, %entry ], [ %extension.next, %skip ]
  %extensions.end = icmp eq ptr %extension, null
  br i1 %extensions.end, label %stage, label %look
look:
  %type.at = getelementptr i8, ptr %extension, i64 ${Extension_Base.type}
  %type = load i32, ptr %type.at
  %asked = icmp eq i32 %type, ${Extension_Metadata}
  br i1 %asked, label %answer, label %skip
skip:
  %next.at = getelementptr i8, ptr %extension, i64 ${Extension_Base.next}
  %extension.next = load ptr, ptr %next.at
  br label %extensions
answer:
  %metadata.at = getelementptr i8, ptr %extension, i64 ${Metadata_Extension.metadata}
  %metadata = load ptr, ptr %metadata.at
  %major.at = getelementptr i8, ptr %metadata, i64 ${Metadata.api_version.major_version}
  store i32 ${API_MAJOR}, ptr %major.at
  %minor.at = getelementptr i8, ptr %metadata, i64 ${Metadata.api_version.minor_version}
  store i32 ${API_MINOR}, ptr %minor.at
  %traits.at = getelementptr i8, ptr %metadata, i64 ${Metadata.traits}
  store i32 0, ptr %traits.at
  ret ptr null
stage:
  %stage.at = getelementptr i8, ptr %call, i64 ${CallFrame.stage}
  %stage.number = load i32, ptr %stage.at
  %execute = icmp eq i32 %stage.number, ${ExecutionStage_EXECUTE}
  br i1 %execute, label %counts, label %other
other:
  ret ptr null
counts:
  %arguments.number.at = getelementptr i8, ptr %call, i64 ${CallFrame.args.size}
  %arguments.number = load i64, ptr %arguments.number.at
  %arguments.right = icmp eq i64 %arguments.number, ${arguments}
  %results.number.at = getelementptr i8, ptr %call, i64 ${CallFrame.rets.size}
  %results.number = load i64, ptr %results.number.at
  %results.right = icmp eq i64 %results.number, ${results}
  %attributes.number.at = getelementptr i8, ptr %call, i64 ${CallFrame.attrs.size}
  %attributes.number = load i64, ptr %attributes.number.at
  %attributes.right = icmp eq i64 %attributes.number, ${attributes}
  %some.right = and i1 %arguments.right, %results.right
  %all.right = and i1 %some.right, %attributes.right
  br i1 %all.right, label %fill, label %wrong
wrong:
  %error = call ptr @irreps.fail(ptr %api, ptr @irreps.message)
  ret ptr %error
fill:
  %arguments.at = getelementptr i8, ptr %call, i64 ${CallFrame.args.args}
  %arguments = load ptr, ptr %arguments.at
  %results.at = getelementptr i8, ptr %call, i64 ${CallFrame.rets.rets}
  %results = load ptr, ptr %results.at
  %attributes.at = getelementptr i8, ptr %call, i64 ${CallFrame.attrs.attrs}
  %attributes = load ptr, ptr %attributes.at
  %types.at = getelementptr i8, ptr %call, i64 ${CallFrame.attrs.types}
  %types = load ptr, ptr %types.at
${fill}
  ret ptr null
}
""")

_BUFFER = _IrTemplate("""
  %at.${n} = getelementptr ptr, ptr %${list}, i64 ${place}
  %buffer.${n} = load ptr, ptr %at.${n}
  %data.at.${n} = getelementptr i8, ptr %buffer.${n}, i64 ${Buffer.data}
  %data.${n} = load ptr, ptr %data.at.${n}
  %entry.${n} = getelementptr i64, ptr %frame, i64 ${n}
  store ptr %data.${n}, ptr %entry.${n}""")

_ATTRIBUTE = _IrTemplate("""
  %type.at.${n} = getelementptr i32, ptr %types, i64 ${place}
  %type.${n} = load i32, ptr %type.at.${n}
  %scalar.${n} = icmp eq i32 %type.${n}, ${AttrType_SCALAR}
  br i1 %scalar.${n}, label %read.${n}, label %wrong
read.${n}:
  %at.${n} = getelementptr ptr, ptr %attributes, i64 ${place}
  %scalar.at.${n} = load ptr, ptr %at.${n}
  %dtype.at.${n} = getelementptr i8, ptr %scalar.at.${n}, i64 ${Scalar.dtype}
  %dtype.${n} = load i32, ptr %dtype.at.${n}
  %integer.${n} = icmp eq i32 %dtype.${n}, ${DataType_S64}
  br i1 %integer.${n}, label %store.${n}, label %wrong
store.${n}:
  %value.at.${n} = getelementptr i8, ptr %scalar.at.${n}, i64 ${Scalar.value}
  %value.pointer.${n} = load ptr, ptr %value.at.${n}
  %value.${n} = load i64, ptr %value.pointer.${n}
  %entry.${n} = getelementptr i64, ptr %frame, i64 ${n}
  store i64 %value.${n}, ptr %entry.${n}""")

_PHASE = _IrTemplate("""
  %chunks.${n} = call i64 @chunks${n}(ptr %frame)
  call void @irreps.run(ptr %api, ptr %context, i64 %chunks.${n}, ptr @phase${n}, ptr %frame)""")


class _Names:
    """Names of a template: the given ones, then those of the interface."""

    def __init__(self, interface: Interface, **given: object) -> None:
        self._interface, self._given = interface, given

    def __getitem__(self, name: str) -> object:
        return self._given[name] if name in self._given else self._interface[name]


def handler_ir(kernel: Kernel, interface: Interface, triple: str) -> str:
    """Return the LLVM IR of the handler of a kernel, which :data:`HANDLER` names.

    It declares the functions of the kernel. It answers XLA's question for the version, does nothing in any stage but
    execution, refuses calls with other numbers of buffers and attributes, and runs the phases in order.
    """
    architecture = triple.split("-")[0].replace("arm64", "aarch64")
    declare_pause, pause = _PAUSES[architecture]
    system = "SwitchToThread" if "windows" in triple else "sched_yield"
    runtime = _RUNTIME.substitute(
        _Names(interface, **{"yield": system}, spins=_SPINS, declare_pause=declare_pause, pause=pause)
    )
    message = (
        f"a kernel of irreps_llvm expects {kernel.arguments} arguments, {kernel.results} results and the int64 scalar "
        f"attributes ({', '.join(kernel.attributes)}); the call has others"
    )
    buffers = [("arguments", n) for n in range(kernel.arguments)] + [("results", n) for n in range(kernel.results)]
    fill = [
        _BUFFER.substitute(_Names(interface, n=n, list=which, place=place)) for n, (which, place) in enumerate(buffers)
    ]
    fill += [
        _ATTRIBUTE.substitute(_Names(interface, n=len(buffers) + place, place=place))
        for place in range(len(kernel.attributes))
    ]
    fill += [_PHASE.substitute(n=n) for n in range(kernel.phases)]
    declarations = [f"declare i64 @chunks{n}(ptr)\ndeclare void @phase{n}(i64, ptr)" for n in range(kernel.phases)]
    handler = _HANDLER.substitute(
        _Names(
            interface,
            declarations="\n".join(declarations),
            message="".join(f"\\{byte:02X}" for byte in message.encode()),
            message_size=len(message.encode()) + 1,
            handler=HANDLER,
            entries=max(len(buffers) + len(kernel.attributes), 1),
            arguments=kernel.arguments,
            results=kernel.results,
            attributes=len(kernel.attributes),
            fill="".join(fill),
        )
    )
    return runtime + handler
