// Invariant: buffers are filled by the kernel within the call that lends them.

import Synchronization
import WasmSystem
import WasmdDocuments
import WasmdWasmiot

/// What the machine is, and how much of it is used: by the kernel's files under `/proc`, which are
/// opened when the value is made, before the process restricts itself.
///
/// ```swift
/// options.machine = Machine()
/// ```
public final class Machine: Sendable {
    private let statistics: ProcessFile?
    private let memory: ProcessFile?
    private let processorName: String
    /// Hertz; 0 if it is not known.
    private let clock: Double
    private let memorySize: Int64

    private struct Sample: Sendable {
        var busy: UInt64 = 0
        var total: UInt64 = 0
        var time: UInt64 = 0
        var usage = 0.0
    }
    private let last = Mutex(Sample())

    /// Opens and reads the files; those that are missing count as empty.
    public init() {
        statistics = ProcessFile("/proc/stat")
        memory = ProcessFile("/proc/meminfo")
        let processor = ProcessFile("/proc/cpuinfo")?.text ?? ""
        processorName =
            Self.value(of: "model name", in: processor) ?? Self.value(of: "Model", in: processor)
            ?? "unknown"
        let megahertz = Self.value(of: "cpu MHz", in: processor).flatMap { Double($0) }
        clock = (megahertz ?? 0) * 1e6
        memorySize = Self.kibibytes("MemTotal", in: memory?.text ?? "") * 1024
    }

    /// The value of the first line with a name: `name : value`.
    private static func value(of name: String, in text: String) -> String? {
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")),
                trimmed(line[..<colon]).elementsEqual(name.utf8)
            else { continue }
            let value = trimmed(line[line.index(after: colon)...])
            return String(decoding: Array(value), as: UTF8.self)
        }
        return nil
    }

    private static func trimmed(_ bytes: Substring.UTF8View) -> Substring.UTF8View {
        var bytes = bytes
        while let first = bytes.first, first == 0x20 || first == 0x09 { bytes.removeFirst() }
        while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
        return bytes
    }

    private static func kibibytes(_ name: String, in text: String) -> Int64 {
        guard let value = value(of: name, in: text),
            let number = value.split(separator: " ").first.flatMap({ Int64($0) })
        else { return 0 }
        return min(max(number, 0), 1 << 50)
    }

    // MARK: Description

    /// The device description.
    ///
    /// - Parameter configured: members that replace those that were found out.
    func description(
        interfaces: [String], functions: OfferedFunctions, _ configured: Document?
    ) -> Document {
        var members: [Document.Member] = [
            .init(
                "platform",
                .object([
                    .init(
                        "cpu",
                        .object([
                            .init("clockSpeed", .object([.init("Hz", .double(clock))])),
                            .init("humanReadableName", .string(processorName)),
                        ])),
                    .init("memory", .object([.init("bytes", .integer(memorySize))])),
                ])),
            .init("supervisorInterfaces", .array(interfaces.map { .string($0) })),
            .init(OfferedFunctions.member, functions.document),
        ]
        for member in configured?.objectValue ?? [] {
            members.removeAll { $0.name.utf8.elementsEqual(member.name.utf8) }
            members.append(member)
        }
        return .object(members)
    }

    // MARK: Health

    /// The share of the processors that was used since the last call, in percent; 0 at the first.
    var processorUsage: Double {
        let numbers = (statistics?.text ?? "").utf8.split(separator: UInt8(ascii: "\n")).first
            .map { line in
                line.split(separator: UInt8(ascii: " ")).dropFirst()
                    .compactMap { UInt64(String(decoding: Array($0), as: UTF8.self)) }
            }
        guard let numbers, numbers.count >= 5 else { return 0 }
        let total = numbers.prefix(8).reduce(0, &+)
        // Idle, and waiting for the disk.
        let busy = total &- min(total, numbers[3] &+ numbers[4])
        let now = SystemClock.monotonic.now
        return last.withLock { sample in
            defer { sample.time = now }
            guard sample.time != 0 else {
                sample.busy = busy
                sample.total = total
                return 0
            }
            // Ticks are 10 ms: within fewer the last value is as good as any.
            guard total > sample.total else { return sample.usage }
            let part = Double(busy > sample.busy ? busy - sample.busy : 0)
            sample.usage = min(100 * part / Double(total - sample.total), 100)
            sample.busy = busy
            sample.total = total
            return sample.usage
        }
    }

    /// The share of the memory that is used, from 0 to 1.
    var memoryUsage: Double {
        let text = memory?.text ?? ""
        let total = Self.kibibytes("MemTotal", in: text)
        guard total > 0 else { return 0 }
        return Double(max(total - Self.kibibytes("MemAvailable", in: text), 0)) / Double(total)
    }
}

/// A file of the kernel that is read again and again from its start.
private final class ProcessFile: Sendable {
    private let file: FileDescriptor

    /// Nil if it cannot be opened.
    init?(_ path: String) {
        let path = CString(path: path.utf8)
        guard let number = try? unsafe Kernel.open(path, .readOnly) else { return nil }
        file = FileDescriptor(owning: number)
    }

    private static let limit = 1 << 20

    /// What it holds now.
    var text: String {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count < Self.limit {
            let offset = bytes.count
            let count = unsafe piece.withUnsafeMutableBytes { room in
                (try? unsafe Kernel.read(file.number, room, at: offset)) ?? 0
            }
            guard count > 0 else { break }
            bytes += piece.prefix(count)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
