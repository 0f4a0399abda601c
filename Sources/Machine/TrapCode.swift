/// Why the guest was stopped.
///
/// Register code passes these as raw values, with 0 for no trap.
public enum TrapCode: UInt8, Sendable, Hashable, CaseIterable {
    case unreachable = 1
    case outOfBoundsMemoryAccess
    case outOfBoundsTableAccess
    case undefinedElement
    case uninitializedElement
    case indirectCallTypeMismatch
    case integerDivideByZero
    case integerOverflow
    case invalidConversionToInteger
    case stackExhausted
    case nullReference
    case nullFunctionReference
    case nullStructureReference
    case nullArrayReference
    case nullI31Reference
    case outOfBoundsArrayAccess
    case castFailure
    /// Objects need more than `StoreLimits.heapBytes`.
    case heapExhausted
    case outOfFuel
    /// The guest was asked to stop: `InterruptHandle.interrupt()`.
    case interrupted
    /// A host function failed: for host functions that throw a `Trap` with a cause. Every other
    /// error that they throw is passed on instead of a `Trap`.
    case hostError
    /// A function needs more than wasmd can translate, for example a frame above 65,535 slots.
    case implementationLimit
    /// The address of an atomic access is no multiple of its size.
    case unalignedAtomic
    /// A thread would wait on a memory that is not shared, which no other thread can change.
    case expectedSharedMemory
    /// `throw_ref` of null.
    case nullExceptionReference
    /// The guest's deadline has passed: `Store.deadline`.
    case deadlineExceeded
    /// The total that the program uses would exceed `StoreLimits.totalBytes`.
    case totalExhausted

    /// The message of the specification's test suite for the trap.
    public var message: String {
        switch self {
        case .unreachable: "unreachable"
        case .outOfBoundsMemoryAccess: "out of bounds memory access"
        case .outOfBoundsTableAccess: "out of bounds table access"
        case .undefinedElement: "undefined element"
        case .uninitializedElement: "uninitialized element"
        case .indirectCallTypeMismatch: "indirect call type mismatch"
        case .integerDivideByZero: "integer divide by zero"
        case .integerOverflow: "integer overflow"
        case .invalidConversionToInteger: "invalid conversion to integer"
        case .stackExhausted: "call stack exhausted"
        case .nullReference: "null reference"
        case .nullFunctionReference: "null function reference"
        case .nullStructureReference: "null structure reference"
        case .nullArrayReference: "null array reference"
        case .nullI31Reference: "null i31 reference"
        case .outOfBoundsArrayAccess: "out of bounds array access"
        case .castFailure: "cast failure"
        case .heapExhausted: "heap exhausted"
        case .outOfFuel: "all fuel consumed"
        case .interrupted: "interrupted"
        case .hostError: "host function failed"
        case .implementationLimit: "implementation limit exceeded"
        case .unalignedAtomic: "unaligned atomic"
        case .expectedSharedMemory: "expected shared memory"
        case .nullExceptionReference: "null exception reference"
        case .deadlineExceeded: "deadline exceeded"
        case .totalExhausted: "memory of the program exhausted"
        }
    }
}
