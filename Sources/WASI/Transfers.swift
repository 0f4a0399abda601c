import WasmInterpreter

// Reading and writing streams as a guest wants it that waits. The calls of the host never wait:
// they answer `again`, the thread is parked here until there is more to say, or the guest stopped.

extension Descriptor {
    /// Reads once into the buffers, waits before if need be.
    @inline(__always)
    func read(
        _ vectors: UnsafeBufferPointer<HostVector>, _ caller: borrowing Caller
    ) throws(Errno) -> Result<Int, Trap> {
        guard isStream else { return .success(try read(vectors)) }
        return try waiting(isReading: true, caller) { () throws(Errno) in try read(vectors) }
    }

    /// Writes the buffers once; to a stream, if the guest waits, all of them.
    @inline(__always)
    func write(
        _ vectors: UnsafeBufferPointer<HostVector>, _ caller: borrowing Caller
    ) throws(Errno) -> Result<Int, Trap> {
        guard isStream else { return .success(try write(vectors)) }
        return try transferringAll(vectors, isReading: false, caller) {
            (vectors) throws(Errno) in try write(vectors)
        }
    }

    /// Runs `transfer`, which answers `again` instead of waiting, until it answers something else.
    func waiting(
        isReading: Bool, _ caller: borrowing Caller, _ transfer: () throws(Errno) -> Int
    ) throws(Errno) -> Result<Int, Trap> {
        while true {
            do throws(Errno) {
                return .success(try transfer())
            } catch {
                guard error == .again, isPatient else { throw error }
            }
            var wait = Wait(clock: .system)
            wait.add(self, Event(userdata: 0, type: isReading ? .fdRead : .fdWrite))
            if case .failure(let trap) = try wait.run(for: caller.store) { return .failure(trap) }
        }
    }

    /// Repeats `transfer` until the buffers are used up or the stream ends, unless the guest does
    /// not want to wait. What was done before an error counts; the guest meets it when it goes on.
    func transferringAll(
        _ vectors: UnsafeBufferPointer<HostVector>, isReading: Bool, _ caller: borrowing Caller,
        _ transfer: (UnsafeBufferPointer<HostVector>) throws(Errno) -> Int
    ) throws(Errno) -> Result<Int, Trap> {
        let first = try waiting(isReading: isReading, caller) { () throws(Errno) in
            try transfer(vectors)
        }
        let total = vectors.reduce(0) { $0 &+ $1.buffer.count }
        guard case .success(var done) = first, done > 0, done < total, isPatient else {
            return first
        }
        var rest = Array(vectors)
        rest.drop(done)
        while done < total {
            do throws(Errno) {
                let next = try waiting(isReading: isReading, caller) { () throws(Errno) in
                    try rest.withUnsafeBufferPointer { (rest) throws(Errno) in
                        try transfer(rest)
                    }
                }
                guard case .success(let count) = next else { return next }
                guard count > 0 else { break }
                done &+= count
                rest.drop(count)
            } catch {
                break
            }
        }
        return .success(done)
    }
}

extension [HostVector] {
    /// Leaves out the first `count` bytes.
    fileprivate mutating func drop(_ count: Int) {
        var count = count
        let whole = prefix { vector in
            guard vector.buffer.count <= count else { return false }
            count -= vector.buffer.count
            return true
        }
        removeFirst(whole.count)
        guard let first, count > 0 else { return }
        self[0] = HostVector(UnsafeMutableRawBufferPointer(rebasing: first.buffer[count...]))
    }
}
