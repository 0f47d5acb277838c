"""LLVM IR of the function that XLA calls for a kernel, and of the one that does its work, which all kernels share.

The calling thread and helpers on XLA's own thread pool claim the chunks of a phase one by one. The caller waits only
for chunks that a running thread has claimed, so a busy pool costs time and never blocks. A helper that starts late
finds nothing to claim; it touches the shared state alone, which its last user frees.
"""

import functools
import hashlib
from collections.abc import Mapping, Sequence
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


# How chunks of a phase are computed: the state, for which threads contend on cache lines of their own, and the pool.
_POOL = """
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

define internal ptr @irreps.run(ptr %api, ptr %context, i64 %chunks, ptr %phase, ptr %frame) {
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
  ret ptr null
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
  ret ptr null
}
"""

# What any handler does: answer XLA, check the call, collect pointers and numbers, run the phases.
CALL = """
${kernel_type}
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)

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

; Copy the data pointers of a list of buffers; return the next entry of the frame.
define internal ptr @irreps.copy(ptr %buffers, i64 %number, ptr %frame) {
entry:
  br label %next
next:
  %n = phi i64 [ 0, %entry ], [ %n.next, %copy ]
  %left = icmp slt i64 %n, %number
  br i1 %left, label %copy, label %end
copy:
  %buffer.at = getelementptr ptr, ptr %buffers, i64 %n
  %buffer = load ptr, ptr %buffer.at
  %data.at = getelementptr i8, ptr %buffer, i64 ${Buffer.data}
  %data = load ptr, ptr %data.at
  %entry.at = getelementptr i64, ptr %frame, i64 %n
  store ptr %data, ptr %entry.at
  %n.next = add i64 %n, 1
  br label %next
end:
  %entry.next = getelementptr i64, ptr %frame, i64 %number
  ret ptr %entry.next
}

define ptr @${shared}(ptr %call, ptr %kernel, ptr %frame) {
entry:
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
  %type.at = getelementptr i8, ptr %extension, i64 ${Metadata_Extension.extension_base.type}
  %type = load i32, ptr %type.at
  %asked = icmp eq i32 %type, ${Extension_Metadata}
  br i1 %asked, label %answer, label %skip
skip:
  %extension.next.at = getelementptr i8, ptr %extension, i64 ${Metadata_Extension.extension_base.next}
  %extension.next = load ptr, ptr %extension.next.at
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
  br i1 %execute, label %count, label %end
count:
  %arguments = load i64, ptr %kernel
  %arguments.number.at = getelementptr i8, ptr %call, i64 ${CallFrame.args.size}
  %arguments.number = load i64, ptr %arguments.number.at
  %arguments.right = icmp eq i64 %arguments.number, %arguments
  %results.expected.at = getelementptr %irreps.kernel, ptr %kernel, i64 0, i32 1
  %results = load i64, ptr %results.expected.at
  %results.number.at = getelementptr i8, ptr %call, i64 ${CallFrame.rets.size}
  %results.number = load i64, ptr %results.number.at
  %results.right = icmp eq i64 %results.number, %results
  %attributes.expected.at = getelementptr %irreps.kernel, ptr %kernel, i64 0, i32 2
  %attributes = load i64, ptr %attributes.expected.at
  %attributes.number.at = getelementptr i8, ptr %call, i64 ${CallFrame.attrs.size}
  %attributes.number = load i64, ptr %attributes.number.at
  %attributes.right = icmp eq i64 %attributes.number, %attributes
  %buffers.right = and i1 %arguments.right, %results.right
  %all.right = and i1 %buffers.right, %attributes.right
  br i1 %all.right, label %fill, label %wrong
fill:
  %arguments.list.at = getelementptr i8, ptr %call, i64 ${CallFrame.args.args}
  %arguments.list = load ptr, ptr %arguments.list.at
  %frame.results = call ptr @irreps.copy(ptr %arguments.list, i64 %arguments, ptr %frame)
  %results.list.at = getelementptr i8, ptr %call, i64 ${CallFrame.rets.rets}
  %results.list = load ptr, ptr %results.list.at
  %frame.attributes = call ptr @irreps.copy(ptr %results.list, i64 %results, ptr %frame.results)
  %types.at = getelementptr i8, ptr %call, i64 ${CallFrame.attrs.types}
  %types = load ptr, ptr %types.at
  %attributes.list.at = getelementptr i8, ptr %call, i64 ${CallFrame.attrs.attrs}
  %attributes.list = load ptr, ptr %attributes.list.at
  br label %attribute
attribute:
  %n = phi i64 [ 0, %fill ], [ %n.next, %store ]
  %n.left = icmp slt i64 %n, %attributes
  br i1 %n.left, label %check.kind, label %start
check.kind:
  %kind.at = getelementptr i32, ptr %types, i64 %n
  %kind = load i32, ptr %kind.at
  %scalar.is = icmp eq i32 %kind, ${AttrType_SCALAR}
  br i1 %scalar.is, label %check.dtype, label %wrong
check.dtype:
  %scalar.at = getelementptr ptr, ptr %attributes.list, i64 %n
  %scalar = load ptr, ptr %scalar.at
  %dtype.at = getelementptr i8, ptr %scalar, i64 ${Scalar.dtype}
  %dtype = load i32, ptr %dtype.at
  %integer.is = icmp eq i32 %dtype, ${DataType_S64}
  br i1 %integer.is, label %store, label %wrong
store:
  %pointer.at = getelementptr i8, ptr %scalar, i64 ${Scalar.value}
  %pointer = load ptr, ptr %pointer.at
  %value = load i64, ptr %pointer
  %entry.at = getelementptr i64, ptr %frame.attributes, i64 %n
  store i64 %value, ptr %entry.at
  %n.next = add i64 %n, 1
  br label %attribute
start:
  %phases.at = getelementptr %irreps.kernel, ptr %kernel, i64 0, i32 3
  %phases = load i64, ptr %phases.at
  %functions.at = getelementptr %irreps.kernel, ptr %kernel, i64 0, i32 5
  %functions = load ptr, ptr %functions.at
  br label %phase.next
phase.next:
  %p = phi i64 [ 0, %start ], [ %p.next, %run.next ]
  %p.left = icmp slt i64 %p, %phases
  br i1 %p.left, label %run, label %end
run:
  %chunks.at = getelementptr [2 x ptr], ptr %functions, i64 %p, i64 0
  %chunks.function = load ptr, ptr %chunks.at
  %phase.at = getelementptr [2 x ptr], ptr %functions, i64 %p, i64 1
  %phase = load ptr, ptr %phase.at
  %chunks = call i64 %chunks.function(ptr %frame)
  %error.run = call ptr @irreps.run(ptr %api, ptr %context, i64 %chunks, ptr %phase, ptr %frame)
  %run.failed = icmp ne ptr %error.run, null
  br i1 %run.failed, label %failed, label %run.next
run.next:
  %p.next = add i64 %p, 1
  br label %phase.next
end:
  ret ptr null
wrong:
  %message.at = getelementptr %irreps.kernel, ptr %kernel, i64 0, i32 4
  %message = load ptr, ptr %message.at
  %error = call ptr @irreps.fail(ptr %api, ptr %message)
  ret ptr %error
failed:
  ret ptr %error.run
}
"""

# Arguments, results, attributes, phases, message, and for each phase two pointers: to the function that counts chunks,
# and to what `irreps.run` needs.
KERNEL_TYPE = "%irreps.kernel = type { i64, i64, i64, i64, ptr, ptr }"


def filled(text: str, interface: Interface, given: Mapping[str, object]) -> str:
    """Fill a template with the given values, and with numbers of the interface for all other names."""
    template = _IrTemplate(text)
    return template.substitute(
        {name: given[name] if name in given else interface[name] for name in template.get_identifiers()}
    )


@functools.lru_cache(maxsize=8)  # by interface and processor, of which a process has one
def shared_handler(interface: Interface, triple: str) -> tuple[str, str]:
    """Return name and LLVM IR of the function that does the work of all handlers.

    It answers XLA's question for the version, does nothing in any stage but execution, refuses calls with other numbers
    of buffers and attributes than those of the kernel, and runs its phases in order.
    """
    architecture = triple.split("-")[0].replace("arm64", "aarch64")
    declare_pause, pause = _PAUSES[architecture]
    given = {
        "yield": "SwitchToThread" if "windows" in triple else "sched_yield",
        "declare_pause": declare_pause,
        "pause": pause,
        "spins": _SPINS,
    }
    return named(CALL + _POOL, interface, given)


def named(text: str, interface: Interface, given: Mapping[str, object]) -> tuple[str, str]:
    """Fill the template of a shared function; return its name, which its content determines, and the text."""
    given = {**given, "kernel_type": KERNEL_TYPE}
    unnamed = filled(text, interface, {**given, "shared": "irreps_shared"})
    name = f"irreps_shared_{hashlib.sha256(unnamed.encode()).hexdigest()[:16]}"
    return name, filled(text, interface, {**given, "shared": name})


def handler(kernel: Kernel, shared: str) -> str:
    """Return the LLVM IR of the function that XLA calls for a kernel, to be appended to the IR of the kernel.

    Args:
        kernel: the kernel.
        shared: name of the function that does the work, of :func:`shared_handler`.
    """
    functions = [(f"chunks{n}", f"phase{n}") for n in range(kernel.phases)]
    return entry_point(kernel.arguments, kernel.results, kernel.attributes, functions, shared)


def entry_point(
    arguments: int, results: int, attributes: Sequence[str], phases: Sequence[tuple[str, str]], shared: str
) -> str:
    """Return the LLVM IR of the function that XLA calls.

    Args:
        arguments: number of argument buffers.
        results: number of result buffers.
        attributes: names of the int64 scalar attributes, sorted.
        phases: for each the names of the function that counts its chunks, and of what computes them.
        shared: name of the function that does the work.
    """
    message = (
        f"a kernel of irreps_llvm expects {arguments} arguments, {results} results and the int64 scalar "
        f"attributes ({', '.join(attributes)}); the call has others"
    )
    functions = ", ".join(f"ptr @{name}" for phase in phases for name in phase)
    counts = f"i64 {arguments}, i64 {results}, i64 {len(attributes)}, i64 {len(phases)}"
    return f"""
{KERNEL_TYPE}
@irreps.message = private constant {text_constant(message)}
@irreps.functions = private constant [{2 * len(phases)} x ptr] [ {functions} ]
@irreps.kernel = private constant %irreps.kernel {{ {counts}, ptr @irreps.message, ptr @irreps.functions }}
declare ptr @{shared}(ptr, ptr, ptr)
define ptr @{HANDLER}(ptr %call) {{
  %frame = alloca [{arguments + results + len(attributes)} x i64], align 8
  %error = call ptr @{shared}(ptr %call, ptr @irreps.kernel, ptr %frame)
  ret ptr %error
}}
"""


def text_constant(text: str) -> str:
    """Return type and value of a text that ends with zero."""
    encoded = text.encode()
    characters = "".join(f"\\{byte:02X}" for byte in encoded)
    return f'[{len(encoded) + 1} x i8] c"{characters}\\00"'
