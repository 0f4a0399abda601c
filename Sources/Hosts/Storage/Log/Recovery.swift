// Soundness: frames and headers are used within the call that they are passed to.

import WasmSystem

/// Reads the log of a store, and finds what is whole and what was acknowledged.
///
/// A frame that is missing was acknowledged if a later one says so: each frame has the number of
/// the last one that was durable when it was written. Missing frames beyond that were being written
/// when the system stopped; all after the first of them is cut off, so that the state is one that
/// the store has been in.
struct Recovery {
    let folder: DataFolder
    /// Whether files may be repaired.
    let writes: Bool

    private(set) var records = Records()
    private(set) var segments: [UInt32: Segment] = [:]
    private(set) var report = RecoveryReport()
    private(set) var salt: UInt64 = 0
    /// The lowest segment that belongs to the log.
    private(set) var firstSegment: UInt32 = 1
    private(set) var lastSegment: Segment?
    /// Where the next frame of the last segment goes.
    private(set) var end = 0
    /// The sequence number of the last whole frame.
    private(set) var lastSequence: UInt64 = 0
    /// Whether the last frame says that all before it is durable.
    private(set) var endsWithMark = false
    /// Why nothing can be written, if that is so.
    private(set) var readOnly: StorageError.ReadOnlyReason?

    private var headers: [UInt32: SegmentHeader] = [:]
    private var sizes: [UInt32: Int] = [:]
    private var batch = RecordBatch()
    /// Missing bytes whose transactions are counted when the next frame is found.
    private var pending: RecoveryReport.Damage?

    init(_ folder: DataFolder, writes: Bool) {
        self.folder = folder
        self.writes = writes
    }

    /// - Parameter progress: is called with the bytes that were read and those of the whole log.
    mutating func run(_ progress: (Int, Int) -> Void = { _, _ in }) throws(StorageError) {
        let numbers = try openSegments()
        guard let last = numbers.last else { return }
        try readHeaders(numbers)
        guard !headers.isEmpty else { return try setAside(numbers) }
        let limit = try inspectLast(last)
        let kept = numbers.filter { $0 >= firstSegment }
        dropOld(numbers.filter { $0 < firstSegment })
        findMissing(kept)
        let total = kept.reduce(0) { $0 + (sizes[$1] ?? 0) }
        report.logBytes = total
        var done = 0
        for number in kept {
            progress(done, total)
            try apply(number, isLast: number == last, limit)
            done += sizes[number] ?? 0
        }
        batch.apply(to: &records)
        batch = RecordBatch()
        progress(done, total)
        report.segments = kept.count
        report.records = records.index.count
        try finish(last)
    }

    // MARK: Files

    private mutating func openSegments() throws(StorageError) -> [UInt32] {
        // Compaction of another process may remove segments between the list and the opening.
        for _ in 0..<8 {
            let (numbers, others) = try folder.segmentNumbers()
            note(others)
            segments = [:]
            var isWhole = true
            for number in numbers {
                do throws(SystemError) {
                    segments[number] = try open(number, isLast: number == numbers.last)
                } catch {
                    guard error == .noent, !writes else {
                        throw .system(error, file: Segment.path(number))
                    }
                    isWhole = false
                    break
                }
            }
            if isWhole {
                for number in numbers { sizes[number] = try size(number) }
                return numbers
            }
        }
        throw .changedDuringCopy
    }

    private mutating func open(_ number: UInt32, isLast: Bool) throws(SystemError) -> Segment {
        guard writes, isLast else { return try folder.openSegment(number, .readOnly) }
        do throws(SystemError) {
            return try folder.openSegment(number, .readWrite)
        } catch {
            guard error == .rofs || error == .acces || error == .perm else { throw error }
            readOnly = .disk(error)
            return try folder.openSegment(number, .readOnly)
        }
    }

    private func size(_ number: UInt32) throws(StorageError) -> Int {
        guard let segment = segments[number] else { return 0 }
        let size = try reading(segment.path) { () throws(SystemError) in
            try folder.files.size(segment.file.descriptor)
        }
        // Longer ones are not ours: offsets have 32 bits.
        return Int(min(size, Int64(LogFormat.maximumSegment) + 2 * Int64(LogFormat.maximumPayload)))
    }

    private mutating func note(_ others: [[UInt8]]) {
        report.setAside = []
        for name in others {
            if name.suffix(8).elementsEqual(".log.new".utf8) {
                if writes { try? folder.files.unlink(folder.log.descriptor, name) }
            } else if name.suffix(8).elementsEqual(".damaged".utf8) {
                report.setAside.append("log/" + String(decoding: name, as: UTF8.self))
            }
        }
        report.setAside.sort()
    }

    private mutating func readHeaders(_ numbers: [UInt32]) throws(StorageError) {
        for number in numbers {
            guard let segment = segments[number] else { continue }
            var bytes = [UInt8](repeating: 0, count: LogFormat.firstFrame)
            let count = try reading(segment.path) { () throws(SystemError) in
                do throws(SystemError) {
                    return try folder.files.readAll(segment.file.descriptor, into: &bytes)
                } catch {
                    guard error == .io else { throw error }
                    return 0
                }
            }
            let decoded = unsafe bytes.withUnsafeBytes {
                unsafe SegmentHeader.decode($0.part(0, count))
            }
            switch decoded {
            case .version(let version):
                throw .unknownVersion(file: segment.path, version)
            case .header(let header) where header.number == number:
                headers[number] = header
            case .header, .damaged:
                break
            }
        }
        // All have the store's number; files of other stores are not read.
        var counts: [UInt64: Int] = [:]
        for header in headers.values { counts[header.salt, default: 0] += 1 }
        var best = 0
        for number in numbers {
            guard let own = headers[number]?.salt, let count = counts[own], count > best else {
                continue
            }
            (best, salt) = (count, own)
        }
        headers = headers.filter { [salt] in $0.value.salt == salt }
        firstSegment = headers.values.map(\.firstSegment).max() ?? 1
    }

    /// Without one header nothing can be read: keeps the files under other names.
    private mutating func setAside(_ numbers: [UInt32]) throws(StorageError) {
        for number in numbers {
            let path = Segment.path(number)
            report.damage.append(
                .init(file: path, offset: 0, byteCount: sizes[number] ?? 0, transactions: 0))
            guard writes, readOnly == nil else { continue }
            let name = Segment.damagedName(number)
            try writing(path) { () throws(SystemError) in
                try folder.files.rename(
                    folder.log.descriptor, Segment.name(number), to: name)
            }
            report.setAside.append("log/" + String(decoding: name, as: UTF8.self))
        }
        segments = [:]
        // Numbers are not used again.
        firstSegment = (numbers.last ?? 0) &+ 1
    }

    private mutating func dropOld(_ numbers: [UInt32]) {
        for number in numbers {
            segments[number] = nil
            guard writes, readOnly == nil else { continue }
            try? folder.files.unlink(folder.log.descriptor, Segment.name(number))
        }
    }

    private mutating func findMissing(_ numbers: [UInt32]) {
        var expected = firstSegment
        for number in numbers {
            if number > expected { report.missingSegments.append(expected...(number - 1)) }
            expected = number &+ 1
        }
    }

    // MARK: Frames

    /// Finds what the last segment says about the whole log; returns the last sequence number that
    /// is kept.
    private mutating func inspectLast(_ number: UInt32) throws(StorageError) -> UInt64 {
        guard let segment = segments[number] else { return .max }
        var durable = headers.values.map { $0.firstSequence &- 1 }.max() ?? 0
        var gaps: [(first: UInt64, last: UInt64)] = []
        var firsts: [(sequence: UInt64, number: UInt32)] = []
        var previous = headers[number].map { $0.firstSequence &- 1 }
        var scanner = SegmentScanner(segment, salt: salt, after: previous ?? 0)
        try unsafe scanner.scan(size: sizes[number] ?? 0) { frame, _ in
            let sequence = unsafe frame.header.sequence
            durable = max(durable, unsafe min(frame.header.durable, sequence - 1))
            if let previous, sequence > previous + 1 { gaps.append((previous + 1, sequence - 1)) }
            if let number = unsafe frame.firstSegment { firsts.append((sequence, number)) }
            previous = sequence
            return true
        }
        let torn = gaps.first { $0.last > durable }
        let limit = torn.map { max($0.first, durable + 1) - 1 } ?? .max
        for first in firsts where first.sequence <= limit && first.number <= number {
            firstSegment = max(firstSegment, first.number)
        }
        firstSegment = min(firstSegment, number)
        return limit
    }

    private mutating func apply(
        _ number: UInt32, isLast: Bool, _ limit: UInt64
    ) throws(StorageError) {
        guard let segment = segments[number] else { return }
        let size = sizes[number] ?? 0
        var isKnown = lastSequence > 0
        if let header = headers[number] {
            // What the segment before should have had.
            if isKnown { count(upTo: header.firstSequence, endOf: number &- 1) }
            lastSequence = max(lastSequence, header.firstSequence &- 1)
            isKnown = true
        } else {
            report.damage.append(
                .init(
                    file: segment.path, offset: 0, byteCount: min(size, LogFormat.firstFrame),
                    transactions: 0))
        }
        if size < LogFormat.firstFrame {
            pending = .init(file: segment.path, offset: size, byteCount: 0, transactions: 0)
        }
        var end = LogFormat.firstFrame
        var scanner = SegmentScanner(segment, salt: salt, after: lastSequence)
        try unsafe scanner.scan(size: size) { frame, before in
            let header = unsafe frame.header
            guard !isLast || header.sequence <= limit else { return false }
            if let before {
                flush()
                pending = .init(
                    file: segment.path, offset: before.lowerBound, byteCount: before.count,
                    transactions: 0)
            }
            if isKnown { count(upTo: header.sequence, endOf: number &- 1) }
            flush()
            isKnown = true
            unsafe batch.add(frame, in: number)
            if batch.isFull { batch.apply(to: &records) }
            lastSequence = header.sequence
            report.frames += 1
            endsWithMark = unsafe frame.kind == .mark && header.durable == header.sequence - 1
            end = unsafe frame.offset + header.frameSize
            return true
        }
        if isLast {
            flush()
            self.end = end
        } else if let rest = scanner.rest {
            flush()
            pending = .init(
                file: segment.path, offset: rest.lowerBound, byteCount: rest.count,
                transactions: 0)
        }
    }

    /// Counts the frames that are missing before `sequence`.
    private mutating func count(upTo sequence: UInt64, endOf number: UInt32) {
        guard sequence > lastSequence, sequence - lastSequence > 1 else { return }
        let missing = sequence - lastSequence - 1
        if pending == nil, report.missingSegments.isEmpty {
            pending = .init(
                file: Segment.path(number), offset: sizes[number] ?? 0, byteCount: 0,
                transactions: 0)
        }
        pending?.transactions += missing
    }

    private mutating func flush() {
        if let pending { report.damage.append(pending) }
        pending = nil
    }

    /// Cuts off what was being written, and makes durable what was found.
    private mutating func finish(_ last: UInt32) throws(StorageError) {
        guard let segment = segments[last] else { return }
        lastSegment = segment
        let size = sizes[last] ?? 0
        if size > end {
            report.tail = .init(file: segment.path, offset: end, byteCount: size - end)
        }
        guard writes, readOnly == nil else { return }
        let files = folder.files
        do throws(SystemError) {
            if size > end { try files.setSize(segment.file.descriptor, Int64(end)) }
            try files.datasync(segment.file.descriptor)
            try files.syncFolder(folder.log.descriptor)
        } catch {
            switch error {
            case .rofs, .acces, .perm: readOnly = .disk(error)
            default: throw .system(error, file: segment.path)
            }
        }
        // New frames go behind a whole header only.
        if headers[last] == nil || size < LogFormat.firstFrame { lastSegment = nil }
    }
}

extension FileLayer {
    /// Reads the start of a file.
    fileprivate func readAll(
        _ descriptor: Int32, into bytes: inout [UInt8]
    ) throws(SystemError) -> Int {
        let result = unsafe bytes.withUnsafeMutableBytes { buffer in
            Result { () throws(SystemError) in try unsafe readAll(descriptor, buffer, at: 0) }
        }
        return try result.get()
    }
}
