import WasmSystem
import WasmdImages

// A process that runs the instances of an image, for trials and measurements.
//
//     othismo-probe messages FOLDER GUEST SECONDS          two instances that pass a message on
//     othismo-probe durable FOLDER GUEST SENDERS SECONDS   each waits until its message is durable
//     othismo-probe fill IMAGE GUEST COUNT                 makes instances
//     othismo-probe open IMAGE [ALL]                       opens it, wakes one; ALL: wakes all
//     othismo-probe until-killed IMAGE GUEST SENDERS       prints what was acknowledged
//     othismo-probe damaged GUEST COUNT SEED               damaged messages in the queue of an image
//     othismo-probe syncs FOLDER SECONDS                   what the disk does without all that
//
// The guests are those of Benchmarks/othismo. An error is printed as a line; the status is 1 then.

let arguments = CommandLine.arguments
guard arguments.count >= 3 else { CurrentProcess.exit(2) }
let folder = Array(arguments[2].utf8)

func number(_ index: Int, _ standard: Int) -> Int {
    index < arguments.count ? Int(arguments[index]) ?? standard : standard
}

func now() -> Double { Double(SystemClock.monotonic.now) / 1e9 }

func say(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    unsafe bytes.withUnsafeBytes {
        if (try? unsafe Kernel.writeAll(Kernel.standardOutput, $0)) == nil {
            CurrentProcess.exitAtOnce(3)
        }
    }
}

/// Three digits are enough.
func rounded(_ value: Double) -> String {
    if value >= 100 { return "\(Int(value.rounded()))" }
    return "\((value * 1000).rounded() / 1000)"
}

do {
    switch arguments[1] {
    case "messages": try measureMessages(folder, arguments[3], Double(number(4, 3)))
    case "durable": try measureDurable(folder, arguments[3], number(4, 16), Double(number(5, 3)))
    case "fill": try fill(folder, arguments[3], number(4, 100_000))
    case "open": try open(folder, wakesAll: arguments.count > 3)
    case "until-killed": try sendUntilKilled(folder, arguments[3], number(4, 16))
    case "damaged": try sendDamaged(arguments[2], number(3, 1000), UInt64(number(4, 1)))
    case "syncs": try measureSyncs(folder, Double(number(3, 2)))
    default: CurrentProcess.exit(2)
    }
} catch {
    say("error \(error)")
    CurrentProcess.exit(1)
}
