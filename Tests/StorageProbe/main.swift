import Synchronization
import WasmSystem
import WasmdStorage

// A process that writes to a store and prints what was acknowledged, until it is killed.
//
//     storage-probe write FOLDER ROUND    prints "ready", then lines "THREAD INDEX"
//     storage-probe hold FOLDER           opens the store, prints "ready", waits
//     storage-probe fill FOLDER           writes until an error comes, prints it; exit status 0
//
// Thread T writes transactions of two records, "ROUND/T/INDEX/a" and "ROUND/T/INDEX/b", with equal
// values, and one that is replaced each time, so that there is something to compact.

func say(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    unsafe bytes.withUnsafeBytes {
        // Nobody reads any more: the test has ended.
        if (try? unsafe Kernel.writeAll(Kernel.standardOutput, $0)) == nil {
            CurrentProcess.exitAtOnce(3)
        }
    }
}

func value(_ thread: Int, _ index: Int) -> [UInt8] {
    let size = (index &* 7919 &+ thread &* 104_729) % 3000
    return [UInt8](repeating: UInt8(truncatingIfNeeded: index &+ thread), count: size)
}

@Sendable func write(_ store: RecordStore, _ round: String, _ thread: Int) {
    var index = 0
    while true {
        let value = value(thread, index)
        var transaction = Transaction()
        transaction.put(Array("\(round)/\(thread)/\(index)/a".utf8), value)
        transaction.put(Array("last/\(thread)/\(index % 8)".utf8), value + value)
        transaction.put(Array("\(round)/\(thread)/\(index)/b".utf8), value)
        if index >= 40 {
            transaction.delete(Array("\(round)/\(thread)/\(index - 40)/a".utf8))
            transaction.delete(Array("\(round)/\(thread)/\(index - 40)/b".utf8))
        }
        do throws(StorageError) {
            try store.commitBlocking(transaction)
        } catch {
            say("error \(error)")
            CurrentProcess.exitAtOnce(1)
        }
        say("\(thread) \(index)")
        index += 1
    }
}

func fill(_ store: RecordStore) {
    var index = 0
    while true {
        var transaction = Transaction()
        transaction.put(Array("fill/\(index)".utf8), [UInt8](repeating: 1, count: 20_000))
        do throws(StorageError) {
            try store.commitBlocking(transaction)
        } catch {
            guard case .full = error else { return say("wrong error \(error)") }
            // What is stored can be read; a second write fails in the same way.
            for earlier in 0..<index {
                let record = try? store.getBlocking(Array("fill/\(earlier)".utf8))
                if record?.value.count != 20_000 { return say("lost \(earlier)") }
            }
            return say("full \(index)")
        }
        index += 1
    }
}

let arguments = CommandLine.arguments
guard arguments.count >= 3 else { CurrentProcess.exit(2) }
var options = RecordStore.Options()
options.segmentSize = 256 << 10
do throws(StorageError) {
    let store = try RecordStore(folder: Array(arguments[2].utf8), options)
    say("ready")
    switch arguments[1] {
    case "write":
        let round = arguments.count > 3 ? arguments[3] : "0"
        let next = Atomic(0)
        runOnThreads(4) { write(store, round, next.add(1, ordering: .relaxed).oldValue) }
    case "fill": fill(store)
    default: SystemThread.sleepForever()
    }
} catch {
    say("error \(error)")
    CurrentProcess.exit(1)
}
