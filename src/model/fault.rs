//! What kind of fault a failed run of a graph was: ONNX Runtime tells it in words only.

use super::Error;

/// What a failed run says about the device; the graver, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Anything else: nothing that can be mended.
    Other,
    /// One of the things that were asked together cannot be answered: the others may be, without it.
    OneOfMany,
    /// There was no memory for it. A smaller batch may do; a session that ran out of it may go on failing until it is
    /// opened anew.
    Memory,
    /// The process has lost the device: every later call fails the same way, and only a new process helps.
    Device,
}

/// CUDA's numbers of faults after which it refuses all that a process asks: assertions, illegal accesses and instructions,
/// launches that failed, errors of the memory or the bus, and devices that have fallen off it.
const LOST: [u32; 17] = [46, 77, 100, 101, 214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719];

/// How running out of memory is said: by ONNX Runtime's arena, CUDA, cuBLAS, cuDNN, and the processor's own allocator.
const OUT_OF_MEMORY: [&str; 6] = [
    "Failed to allocate memory for requested buffer",
    "CUDA failure 2: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "std::bad_alloc",
];

impl Error {
    /// What kind of fault it was.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Run { problem, .. } => of_text(problem),
            Self::Request { .. } | Self::NotNumber { .. } => Fault::OneOfMany,
            _ => Fault::Other,
        }
    }
}

/// What kind of fault ONNX Runtime's words tell of. A lost device comes first: it fails allocations too.
fn of_text(problem: &str) -> Fault {
    let numbers = problem.match_indices("CUDA failure ").filter_map(|(at, said)| {
        let digits = problem[at + said.len()..].split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    });
    if numbers.into_iter().any(|number: u32| LOST.contains(&number)) {
        Fault::Device
    } else if OUT_OF_MEMORY.iter().any(|words| problem.contains(words)) {
        Fault::Memory
    } else {
        Fault::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_by_the_words_that_onnx_runtime_uses() {
        for (problem, expected) in [
            (
                "Non-zero status code returned while running Conv node. Name:'/vision/Conv' Status Message: \
                 /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 void* \
                 onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*, bool, \
                 onnxruntime::WaitNotificationFn) Failed to allocate memory for requested buffer of size 939524096",
                Fault::Memory,
            ),
            ("CUDA failure 2: out of memory ; GPU=0 ; hostname=n ; expr=cudaMalloc((void**)&p, size); ", Fault::Memory),
            ("CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; expr=cublasCreate(&handle)", Fault::Memory),
            ("std::bad_alloc", Fault::Memory),
            (
                "CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=n ; \
                 file=/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_execution_provider.cc ; line=448 ; \
                 expr=cudaStreamSynchronize(static_cast<cudaStream_t>(stream_)); ",
                Fault::Device,
            ),
            ("CUDA failure 719: unspecified launch failure ; GPU=0 ; expr=cudaGetLastError()", Fault::Device),
            (
                "Failed to allocate memory for requested buffer of size 8: CUDA failure 700: an illegal memory access",
                Fault::Device,
            ),
            ("CUDA failure 1: invalid argument ; GPU=0", Fault::Other),
            ("CUDA failure 7000", Fault::Other),
            ("Got invalid dimensions for input: media_kv for the following indices", Fault::Other),
        ] {
            assert_eq!(of_text(problem), expected, "{problem}");
        }
        let request = Error::request("CUDA failure 700: of a text").fault();
        assert_eq!(request, Fault::OneOfMany, "only runs tell of the device");
    }
}
