"""LLVM IR of the function that XLA calls for a kernel on an NVIDIA GPU: it launches each phase on XLA's stream.

It is code for the CPU. It calls the driver through a symbol that this process defines, and finds the kernels in a table
of its own, which is filled when they are loaded; so its object code can be kept on disk, and an executable of XLA that
outlives a process finds in another one what that process has registered, or nothing.
"""

from ._handler import CALL, entry_point, named, text_constant
from ._interface import Interface
from ._kernel import DeviceKernel

# The exported symbol that fills the table of a kernel: its arguments are a phase and the driver's handle.
BIND = "irreps_bind"

_MESSAGES = {
    "large": "a kernel of irreps_llvm has more chunks than a GPU has blocks; make the batch smaller",
    "unbound": "a kernel of irreps_llvm is not loaded in this process",
    "refused": "the NVIDIA driver refuses to launch a kernel of irreps_llvm",
}

# Threads of a block, number of parameters, and the driver's handle.
_LAUNCH_TYPE = "%irreps.launch = type { i64, i64, ptr }"

_LAUNCH = """
${launch_type}
declare i32 @${launch}(ptr, i32, i32, i32, i32, i32, i32, i32, ptr, ptr, ptr)
${messages}

define internal ptr @irreps.run(ptr %api, ptr %context, i64 %chunks, ptr %launch, ptr %frame) {
entry:
  %arguments = alloca [${sizeof.Stream_Get_Args} x i8], align 8
  %none = icmp slt i64 %chunks, 1
  br i1 %none, label %end, label %check
check:
  %large = icmp sgt i64 %chunks, 2147483647
  br i1 %large, label %fail.large, label %find
find:
  %handle.at = getelementptr %irreps.launch, ptr %launch, i64 0, i32 2
  %handle = load ptr, ptr %handle.at
  %unbound = icmp eq ptr %handle, null
  br i1 %unbound, label %fail.unbound, label %ask
ask:
  call void @llvm.memset.p0.i64(ptr %arguments, i8 0, i64 ${sizeof.Stream_Get_Args}, i1 false)
  store i64 ${sizeof.Stream_Get_Args}, ptr %arguments
  %context.at = getelementptr i8, ptr %arguments, i64 ${Stream_Get_Args.ctx}
  store ptr %context, ptr %context.at
  %function.at = getelementptr i8, ptr %api, i64 ${Api.Stream_Get}
  %function = load ptr, ptr %function.at
  %error = call ptr %function(ptr %arguments)
  %failed = icmp ne ptr %error, null
  br i1 %failed, label %fail.stream, label %collect
collect:
  %stream.at = getelementptr i8, ptr %arguments, i64 ${Stream_Get_Args.stream}
  %stream = load ptr, ptr %stream.at
  %number.at = getelementptr %irreps.launch, ptr %launch, i64 0, i32 1
  %number = load i64, ptr %number.at
  %parameters = alloca ptr, i64 %number, align 8
  br label %next
next:
  %n = phi i64 [ 0, %collect ], [ %n.next, %copy ]
  %left = icmp slt i64 %n, %number
  br i1 %left, label %copy, label %start
copy:
  ; The driver is given where each parameter is; all have 8 bytes.
  %entry.at = getelementptr i64, ptr %frame, i64 %n
  %parameter.at = getelementptr ptr, ptr %parameters, i64 %n
  store ptr %entry.at, ptr %parameter.at
  %n.next = add i64 %n, 1
  br label %next
start:
  %threads.wide = load i64, ptr %launch
  %threads = trunc i64 %threads.wide to i32
  %blocks = trunc i64 %chunks to i32
  %code = call i32 @${launch}(ptr %handle, i32 %blocks, i32 1, i32 1, i32 %threads, i32 1, i32 1, i32 0, ptr %stream, ptr %parameters, ptr null)
  %refused = icmp ne i32 %code, 0
  br i1 %refused, label %fail.refused, label %end
end:
  ret ptr null
fail.stream:
  ret ptr %error
fail.large:
  %error.large = call ptr @irreps.fail(ptr %api, ptr @irreps.large)
  ret ptr %error.large
fail.unbound:
  %error.unbound = call ptr @irreps.fail(ptr %api, ptr @irreps.unbound)
  ret ptr %error.unbound
fail.refused:
  %error.refused = call ptr @irreps.fail(ptr %api, ptr @irreps.refused)
  ret ptr %error.refused
}
"""  # noqa: E501


def shared_launcher(interface: Interface, launch: str) -> tuple[str, str]:
    """Return name and LLVM IR of the function that does the work of all handlers for GPUs.

    Args:
        interface: XLA's interface.
        launch: symbol of the driver's function ``cuLaunchKernel``.
    """
    messages = [f"@irreps.{name} = private constant {text_constant(text)}" for name, text in _MESSAGES.items()]
    given = {"launch": launch, "launch_type": _LAUNCH_TYPE, "messages": "\n".join(messages)}
    return named(CALL + _LAUNCH, interface, given)


def launcher(kernel: DeviceKernel, shared: str) -> str:
    """Return the LLVM IR of the function that XLA calls for a kernel, with those that count its chunks."""
    entries = kernel.arguments + kernel.results + len(kernel.attributes)
    phases = range(len(kernel.threads))
    launches = [
        f"@irreps.launch{n} = internal global %irreps.launch {{ i64 {threads}, i64 {entries}, ptr null }}"
        for n, threads in enumerate(kernel.threads)
    ]
    table = ", ".join(f"ptr @irreps.launch{n}" for n in phases)
    functions = [(f"chunks{n}", f"irreps.launch{n}") for n in phases]
    bind = f"""
@irreps.launches = private constant [{len(phases)} x ptr] [ {table} ]
define void @{BIND}(i64 %phase, ptr %handle) {{
  %launch.at = getelementptr ptr, ptr @irreps.launches, i64 %phase
  %launch = load ptr, ptr %launch.at
  %handle.at = getelementptr %irreps.launch, ptr %launch, i64 0, i32 2
  store ptr %handle, ptr %handle.at
  ret void
}}
"""
    call = entry_point(kernel.arguments, kernel.results, kernel.attributes, functions, shared)
    return "\n".join([kernel.counting, _LAUNCH_TYPE, *launches, bind, call])
