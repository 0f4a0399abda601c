/// The codes of one block, and what it costs with them (RFC 1951 3.2.4 to 3.2.7).
struct DeflateBlock {
    private let literalLengths: [UInt8]
    private let distanceLengths: [UInt8]
    private var header: [(symbol: UInt8, extra: UInt8, extraBits: UInt8)] = []
    private var headerLengths: [UInt8] = []
    private var headerCount = 0
    /// The size with fixed codes, in bits.
    private(set) var fixedBits = 3
    /// The size with codes of its own.
    private(set) var dynamicBits = 3

    init(_ tokens: [UInt32]) {
        var literals = [UInt32](repeating: 0, count: 286)
        var distances = [UInt32](repeating: 0, count: 30)
        var extraBits = 0
        literals[256] = 1
        for token in tokens {
            guard token >> 31 == 1 else {
                literals[Int(token & 0xff)] &+= 1
                continue
            }
            let symbol = Int(DeflateSymbols.lengthSymbols[Int(token >> 16 & 0x7fff) - 3])
            let distance = DeflateSymbols.distanceSymbol(Int(token & 0xffff))
            literals[257 + symbol] &+= 1
            distances[distance] &+= 1
            extraBits +=
                Int(DeflateSymbols.lengthExtra[symbol])
                + Int(DeflateSymbols.distanceExtra[distance])
        }
        literalLengths = HuffmanLengths.lengths(of: literals, limit: 15)
        // Some decoders want two distances even where none is used; one with one bit is enough for
        // all that we know, and complete codes are the safest.
        if distances.allSatisfy({ $0 == 0 }) { distances[0] = 1 }
        if distances.count(where: { $0 > 0 }) == 1 {
            distances[distances[0] == 0 ? 0 : 1] = 1
        }
        distanceLengths = HuffmanLengths.lengths(of: distances, limit: 15)
        makeHeader()
        for (symbol, frequency) in literals.enumerated() {
            fixedBits += Int(frequency) * Int(HuffmanLengths.fixedLiterals[symbol])
            dynamicBits += Int(frequency) * Int(literalLengths[symbol])
        }
        for (symbol, frequency) in distances.enumerated() {
            fixedBits += Int(frequency) * 5
            dynamicBits += Int(frequency) * Int(distanceLengths[symbol])
        }
        fixedBits += extraBits
        dynamicBits += extraBits
    }

    private var literalCount: Int {
        max(257, (literalLengths.lastIndex { $0 > 0 } ?? 0) + 1)
    }
    private var distanceCount: Int {
        max(1, (distanceLengths.lastIndex { $0 > 0 } ?? 0) + 1)
    }

    /// Runs of lengths as symbols 16, 17 and 18, and the code for them.
    private mutating func makeHeader() {
        let all =
            Array(literalLengths[..<literalCount]) + Array(distanceLengths[..<distanceCount])
        var index = 0
        while index < all.count {
            let value = all[index]
            var run = 1
            while index + run < all.count, all[index + run] == value { run += 1 }
            index += run
            if value == 0 {
                while run >= 11 {
                    let count = min(run, 138)
                    header.append((18, UInt8(truncatingIfNeeded: count - 11), 7))
                    run -= count
                }
                if run >= 3 {
                    header.append((17, UInt8(truncatingIfNeeded: run - 3), 3))
                    run = 0
                }
            } else {
                header.append((value, 0, 0))
                run -= 1
                while run >= 3 {
                    let count = min(run, 6)
                    header.append((16, UInt8(truncatingIfNeeded: count - 3), 2))
                    run -= count
                }
            }
            for _ in 0..<run { header.append((value, 0, 0)) }
        }
        var frequencies = [UInt32](repeating: 0, count: 19)
        for item in header { frequencies[Int(item.symbol)] &+= 1 }
        if frequencies.count(where: { $0 > 0 }) == 1 {
            frequencies[frequencies[0] == 0 ? 0 : 1] = 1
        }
        headerLengths = HuffmanLengths.lengths(of: frequencies, limit: 7)
        headerCount = max(4, (HuffmanLengths.order.lastIndex { headerLengths[$0] > 0 } ?? 0) + 1)
        dynamicBits += 14 + 3 * headerCount
        for item in header {
            dynamicBits += Int(headerLengths[Int(item.symbol)]) + Int(item.extraBits)
        }
    }

    /// Writes the kind of the block, its codes and its tokens, with the shorter codes.
    func write(_ tokens: [UInt32], _ writer: inout BitWriter, to output: inout [UInt8]) {
        if fixedBits <= dynamicBits {
            writer.write(1, 2, to: &output)
            writeTokens(
                tokens, HuffmanLengths.fixedLiterals, HuffmanLengths.fixedDistances, &writer,
                to: &output)
            return
        }
        writer.write(2, 2, to: &output)
        writer.write(UInt32(truncatingIfNeeded: literalCount - 257), 5, to: &output)
        writer.write(UInt32(truncatingIfNeeded: distanceCount - 1), 5, to: &output)
        writer.write(UInt32(truncatingIfNeeded: headerCount - 4), 4, to: &output)
        for symbol in HuffmanLengths.order[..<headerCount] {
            writer.write(UInt32(truncatingIfNeeded: headerLengths[symbol]), 3, to: &output)
        }
        let codes = HuffmanLengths.codes(headerLengths)
        for item in header {
            let symbol = Int(item.symbol)
            writer.write(
                UInt32(truncatingIfNeeded: codes[symbol]), headerLengths[symbol], to: &output)
            writer.write(UInt32(truncatingIfNeeded: item.extra), item.extraBits, to: &output)
        }
        writeTokens(tokens, literalLengths, distanceLengths, &writer, to: &output)
    }

    private func writeTokens(
        _ tokens: [UInt32], _ literals: [UInt8], _ distances: [UInt8], _ writer: inout BitWriter,
        to output: inout [UInt8]
    ) {
        let literalCodes = HuffmanLengths.codes(literals)
        let distanceCodes = HuffmanLengths.codes(distances)
        for token in tokens {
            guard token >> 31 == 1 else {
                let symbol = Int(token & 0xff)
                writer.write(
                    UInt32(truncatingIfNeeded: literalCodes[symbol]), literals[symbol],
                    to: &output)
                continue
            }
            let length = token >> 16 & 0x7fff
            let symbol = Int(DeflateSymbols.lengthSymbols[Int(length) - 3])
            writer.write(
                UInt32(truncatingIfNeeded: literalCodes[257 + symbol]), literals[257 + symbol],
                to: &output)
            writer.write(
                length &- UInt32(truncatingIfNeeded: DeflateSymbols.lengthBase[symbol]),
                DeflateSymbols.lengthExtra[symbol], to: &output)
            let distance = token & 0xffff
            let distanceSymbol = DeflateSymbols.distanceSymbol(Int(distance))
            writer.write(
                UInt32(truncatingIfNeeded: distanceCodes[distanceSymbol]),
                distances[distanceSymbol], to: &output)
            writer.write(
                distance &- UInt32(truncatingIfNeeded: DeflateSymbols.distanceBase[distanceSymbol]),
                DeflateSymbols.distanceExtra[distanceSymbol], to: &output)
        }
        writer.write(
            UInt32(truncatingIfNeeded: literalCodes[256]), literals[256], to: &output)
    }
}
