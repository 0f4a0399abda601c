// Prints the primes below 1,000: Embedded Swift without a C library or a Swift runtime beside it.
//
// The guest speaks to its host through two functions of WASI preview 1 and exports `_start`.

enum Primes {
    static let limit = 1_000
    static let perLine = 12

    static func print() {
        var output = Output()
        let primes = primes(below: limit)
        for (index, prime) in primes.enumerated() {
            let isLast = index % perLine == perLine - 1 || index == primes.count - 1
            output.write(decimal: prime, width: 4)
            output.write(byte: UInt8(ascii: isLast ? "\n" : " "))
        }
        output.write(decimal: primes.count, width: 0)
        output.write(" primes\n")
        output.flush()
    }

    /// The sieve of Eratosthenes.
    static func primes(below limit: Int) -> [Int] {
        var isComposite = [Bool](repeating: false, count: limit)
        var primes: [Int] = []
        for candidate in 2..<limit where !isComposite[candidate] {
            primes.append(candidate)
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

    mutating func write(byte: UInt8) {
        bytes.append(byte)
    }

    mutating func write(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    /// Writes a number that is not negative, with spaces before it up to a width.
    mutating func write(decimal number: Int, width: Int) {
        if number >= 10 {
            write(decimal: number / 10, width: width - 1)
        } else {
            for _ in stride(from: 1, to: width, by: 1) { write(byte: UInt8(ascii: " ")) }
        }
        write(byte: UInt8(ascii: "0") + UInt8(number % 10))
    }

    mutating func flush() {
        let isWritten = bytes.withUnsafeBufferPointer { buffer in
            var vector = OutputVector(start: buffer.baseAddress, count: buffer.count)
            var written = 0
            return fdWrite(1, &vector, 1, &written) == 0 && written == buffer.count
        }
        if !isWritten { procExit(1) }
        bytes.removeAll()
    }
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

@_extern(wasm, module: "wasi_snapshot_preview1", name: "proc_exit")
@_extern(c)
func procExit(_ code: Int32)

@_expose(wasm, "_start")
@_cdecl("_start")
func start() {
    Primes.print()
}
