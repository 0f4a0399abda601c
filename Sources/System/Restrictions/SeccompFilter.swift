/// The system calls that a process may still make, as data: seccomp(2). All that no rule allows are
/// refused.
///
///     let filter = SeccompFilter(allowing: .memory + .files + .waiting, refusal: .error(.perm))
///     try filter.install()
///
/// The kernel runs the program that `program(for:)` makes before each call of the thread: about ten
/// instructions for an unconditional call.
public struct SeccompFilter: Sendable {
    /// What happens to a call that is not allowed.
    public enum Refusal: Sendable, Equatable {
        /// It fails with an error.
        case error(SystemError)
        /// The process ends with `SIGSYS`.
        case kill

        var action: UInt32 {
            switch self {
            case .error(let error): 0x0005_0000 | UInt32(truncatingIfNeeded: error.code) & 0xfff
            case .kill: 0x8000_0000
            }
        }
    }

    /// The architecture that a program is for; calls by the conventions of another end the process.
    public enum Architecture: Sendable, CaseIterable {
        case x86, arm

        /// `AUDIT_ARCH_X86_64`, `AUDIT_ARCH_AARCH64`.
        var auditNumber: UInt32 { self == .x86 ? 0xc000_003e : 0xc000_00b7 }

        #if arch(x86_64)
            public static let current = Architecture.x86
        #else
            public static let current = Architecture.arm
        #endif
    }

    /// A call that is allowed if the low half of an argument has given bits.
    struct Condition: Sendable {
        var call: SystemCalls.Call
        /// 0…5.
        var argument: UInt32
        var mask: UInt32
        /// Values of the masked bits, one of which must match.
        var values: [UInt32]
        /// The refusal of this call, if it differs from that of all other calls.
        var refusal: Refusal?
    }

    public var calls: SystemCalls
    public var refusal: Refusal
    private(set) var conditions: [Condition] = []

    public init(allowing calls: SystemCalls, refusal: Refusal) {
        self.calls = calls
        self.refusal = refusal
    }

    // MARK: Rules about arguments

    /// Allows threads of this process, and no new processes or namespaces. `clone3`, whose
    /// arguments a filter cannot read, fails with `ENOSYS`, so the C library uses `clone`.
    public mutating func allowThreads() {
        // CLONE_VM, CLONE_SIGHAND and CLONE_THREAD are set; no namespace is.
        let wanted: UInt32 = 0x100 | 0x800 | 0x1_0000
        let namespaces: UInt32 = 0x7e02_0000 | 0x80
        add(ConditionalCalls.clone, argument: 0, mask: wanted | namespaces, [wanted])
        conditions.append(
            Condition(
                call: ConditionalCalls.clone3, argument: 0, mask: 0, values: [],
                refusal: .error(.nosys)))
    }

    /// Allows `tgkill` within a process: `abort`, `pthread_kill`.
    public mutating func allowSignals(toThreadsOf process: Int32) {
        add(ConditionalCalls.tgkill, argument: 0, [UInt32(bitPattern: process)])
    }

    /// Allows `socket` for families such as `AF_INET`.
    public mutating func allowSockets(ofFamilies families: [Int32]) {
        add(ConditionalCalls.socket, argument: 0, families.map(UInt32.init(bitPattern:)))
    }

    /// Allows the control calls that read and set a terminal's modes, read its size, and the number
    /// of bytes that can be read; none that inserts input into a terminal.
    public mutating func allowTerminalQueries() {
        // TCGETS, TCSETSW, TIOCGWINSZ, FIONREAD, FIONBIO
        add(ConditionalCalls.ioctl, argument: 1, [0x5401, 0x5403, 0x5413, 0x541b, 0x5421])
    }

    /// Allows naming threads and memory: `PR_SET_NAME`, `PR_SET_VMA`.
    public mutating func allowNaming() {
        add(ConditionalCalls.prctl, argument: 0, [15, 0x5356_4d41])
    }

    /// Allows reading limits, not setting them: the low half of the third argument, a pointer, must
    /// be 0.
    public mutating func allowLimitQueries() {
        add(ConditionalCalls.prlimit64, argument: 2, [0])
    }

    private mutating func add(
        _ call: SystemCalls.Call, argument: UInt32, mask: UInt32 = .max, _ values: [UInt32]
    ) {
        conditions.append(
            Condition(call: call, argument: argument, mask: mask, values: values, refusal: nil))
    }

    // MARK: The program

    /// The filter as a program of the classic BPF machine.
    public func program(for architecture: Architecture) -> [BPFInstruction] {
        var program: [BPFInstruction] = [
            .load(offset: 4),
            .jumpIfEqual(architecture.auditNumber, 1, 0),
            .return(Refusal.kill.action),
            .load(offset: 0),
        ]
        if architecture == .x86 {
            // Numbers of x32, and -1, which a tracer sets.
            program += [.jumpIfAtLeast(0x4000_0000, 0, 1), .return(refusal.action)]
        }
        for condition in conditions {
            guard let number = condition.call.number(architecture) else { continue }
            let body = check(condition)
            program.append(.jumpIfEqual(number, 0, UInt8(truncatingIfNeeded: body.count)))
            program += body
        }
        var numbers = Set(calls.calls.compactMap { $0.number(architecture) })
        for condition in conditions {
            if let number = condition.call.number(architecture) { numbers.remove(number) }
        }
        return program + search(Self.ranges(numbers.sorted())[...])
    }

    private func check(_ condition: Condition) -> [BPFInstruction] {
        // The low half is first on both architectures.
        var body: [BPFInstruction] = [
            .load(offset: 16 + 8 * min(condition.argument, 5)), .and(condition.mask),
        ]
        for value in condition.values.prefix(60) {
            body += [.jumpIfEqual(value & condition.mask, 0, 1), .return(Self.allow)]
        }
        return body + [.return((condition.refusal ?? refusal).action)]
    }

    private static func ranges(_ numbers: [UInt32]) -> [ClosedRange<UInt32>] {
        var ranges: [ClosedRange<UInt32>] = []
        for number in numbers {
            if let last = ranges.last, last.upperBound &+ 1 == number {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        return ranges
    }

    /// Allows the numbers of the ranges, by binary search.
    private func search(_ ranges: ArraySlice<ClosedRange<UInt32>>) -> [BPFInstruction] {
        guard let first = ranges.first else { return [.return(refusal.action)] }
        if ranges.count == 1 {
            return [
                .jumpIfAtLeast(first.lowerBound, 0, 2),
                .jumpIfAtLeast(first.upperBound &+ 1, 1, 0), .return(Self.allow),
                .return(refusal.action),
            ]
        }
        let middle = ranges.startIndex + ranges.count / 2
        let low = search(ranges[..<middle])
        let high = search(ranges[middle...])
        // A conditional jump reaches 255 instructions; an unconditional one reaches all.
        return [
            .jumpIfAtLeast(ranges[middle].lowerBound, 0, 1),
            .jump(UInt32(truncatingIfNeeded: low.count)),
        ] + low + high
    }

    private static let allow: UInt32 = 0x7fff_0000
}

extension SystemCalls.Call {
    func number(_ architecture: SeccompFilter.Architecture) -> UInt32? {
        architecture == .x86 ? x86 : arm
    }
}

/// An instruction of the classic BPF machine: `struct sock_filter`.
public struct BPFInstruction: Sendable, Equatable {
    public var code: UInt16
    /// The number of instructions that a jump skips, if its condition holds and if not.
    public var ifTrue: UInt8 = 0
    public var ifFalse: UInt8 = 0
    public var operand: UInt32

    static func load(offset: UInt32) -> Self { Self(code: 0x20, operand: offset) }
    static func and(_ mask: UInt32) -> Self { Self(code: 0x54, operand: mask) }
    static func jump(_ count: UInt32) -> Self { Self(code: 0x05, operand: count) }
    static func jumpIfEqual(_ value: UInt32, _ ifTrue: UInt8, _ ifFalse: UInt8) -> Self {
        Self(code: 0x15, ifTrue: ifTrue, ifFalse: ifFalse, operand: value)
    }
    static func jumpIfAtLeast(_ value: UInt32, _ ifTrue: UInt8, _ ifFalse: UInt8) -> Self {
        Self(code: 0x35, ifTrue: ifTrue, ifFalse: ifFalse, operand: value)
    }
    static func `return`(_ action: UInt32) -> Self { Self(code: 0x06, operand: action) }
}
