// The primes below a number of the path: /primes/100. Embedded Swift without a C library.
//
// The file `[below].wasm` serves `/primes/` and any name; the program finds the name in its
// environment as X_PATH_MATCH_BELOW. Without header lines, what it prints is text/plain.

enum Primes {
    static let largest = 100_000

    /// The sieve of Eratosthenes.
    static func below(_ limit: Int) -> [Int] {
        var isComposite = [Bool](repeating: false, count: max(limit, 2))
        var primes: [Int] = []
        for candidate in stride(from: 2, to: limit, by: 1) where !isComposite[candidate] {
            primes.append(candidate)
            // The square would not fit into 32 bits.
            guard candidate <= limit / candidate else { continue }
            for multiple in stride(from: candidate * candidate, to: limit, by: candidate) {
                isComposite[multiple] = true
            }
        }
        return primes
    }
}

/// Text on its way to standard output.
struct Output {
    private var bytes: [UInt8] = []

    mutating func write(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    /// Writes a number that is not negative.
    mutating func write(decimal number: Int) {
        if number >= 10 { write(decimal: number / 10) }
        bytes.append(UInt8(ascii: "0") + UInt8(number % 10))
    }

    /// Writes everything to standard output.
    mutating func flush() {
        var start = 0
        while start < bytes.count {
            let count = bytes[start...].withUnsafeBufferPointer { buffer in
                var vector = OutputVector(start: buffer.baseAddress, count: buffer.count)
                var written = 0
                return fdWrite(1, &vector, 1, &written) == 0 ? written : 0
            }
            if count == 0 { procExit(1) }
            start += count
        }
        bytes.removeAll()
    }
}

/// The variables of the environment, as the host writes them: `NAME=value` and a zero each.
struct Environment {
    private var bytes: [UInt8]

    init() {
        var count = 0
        var size = 0
        guard environSizesGet(&count, &size) == 0 else {
            bytes = []
            return
        }
        var pointers = [UInt32](repeating: 0, count: count + 1)
        bytes = [UInt8](repeating: 0, count: size + 1)
        if environGet(&pointers, &bytes) != 0 { bytes = [] }
    }

    subscript(name: StaticString) -> ArraySlice<UInt8>? {
        name.withUTF8Buffer { wanted in
            for variable in bytes.split(separator: 0) {
                guard let equals = variable.firstIndex(of: UInt8(ascii: "=")),
                    variable[..<equals].elementsEqual(wanted)
                else { continue }
                return variable[(equals + 1)...]
            }
            return nil
        }
    }
}

/// A number of decimal digits; nil for anything else, and above `Primes.largest`.
func number(_ digits: ArraySlice<UInt8>) -> Int? {
    var value = 0
    for digit in digits {
        guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
        value = value * 10 + Int(digit - UInt8(ascii: "0"))
        if value > Primes.largest { return nil }
    }
    return digits.isEmpty ? nil : value
}

// MARK: - The host, as WASI preview 1 names it

/// A stretch of memory to write, in the layout of WASI's `ciovec`.
struct OutputVector {
    var start: UnsafePointer<UInt8>?
    var count: Int
}

@_extern(wasm, module: "wasi_snapshot_preview1", name: "fd_write")
@_extern(c)
func fdWrite(
    _ descriptor: Int32, _ vectors: UnsafeRawPointer, _ vectorCount: Int32,
    _ written: UnsafeMutablePointer<Int>
) -> Int32

@_extern(wasm, module: "wasi_snapshot_preview1", name: "environ_sizes_get")
@_extern(c)
func environSizesGet(
    _ count: UnsafeMutablePointer<Int>, _ size: UnsafeMutablePointer<Int>
) -> Int32

@_extern(wasm, module: "wasi_snapshot_preview1", name: "environ_get")
@_extern(c)
func environGet(_ pointers: UnsafeMutablePointer<UInt32>, _ bytes: UnsafeMutablePointer<UInt8>)
    -> Int32

@_extern(wasm, module: "wasi_snapshot_preview1", name: "proc_exit")
@_extern(c)
func procExit(_ code: Int32)

@_expose(wasm, "_start")
@_cdecl("_start")
func start() {
    var output = Output()
    if let limit = Environment()["X_PATH_MATCH_BELOW"].flatMap(number) {
        for prime in Primes.below(limit) {
            output.write(decimal: prime)
            output.write("\n")
        }
    } else {
        output.write("Status: 400 Bad Request\nContent-Type: text/plain\n\n")
        output.write("A number up to 100000 is expected: /primes/100\n")
    }
    output.flush()
}
