import WasmSystem
import WasmdImages

// A process that uses an image, for tests, scripts and measurements.
//
//     image-probe dump IMAGE              prints all rows, contents as sums
//     image-probe check IMAGE             prints "ok" or what is wrong
//     image-probe run IMAGE [PAGE-SIZE]   makes the changes on standard input: see Commands.swift
//     image-probe write IMAGE ROUND       writes until it is killed; prints what was acknowledged
//     image-probe load IMAGE COUNT GROUP  adds COUNT messages of 200 bytes, GROUP in a transaction
//     image-probe mutants IMAGE COUNT SEED FOLDER   reads and changes damaged copies
//
// Errors are printed as a line "error ..."; the exit status is 1 then.

func say(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    unsafe bytes.withUnsafeBytes {
        // Nobody reads any more: the test has ended.
        if (try? unsafe Kernel.writeAll(Kernel.standardOutput, $0)) == nil {
            CurrentProcess.exitAtOnce(3)
        }
    }
}

func name(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

let arguments = CommandLine.arguments
guard arguments.count >= 3 else { CurrentProcess.exit(2) }
let path = Array(arguments[2].utf8)

func number(_ index: Int, _ standard: Int) -> Int {
    index < arguments.count ? Int(arguments[index]) ?? standard : standard
}

do throws(ImageError) {
    switch arguments[1] {
    case "dump": try dump(try Image(path: path))
    case "check":
        let found = try Image(path: path).check()
        say(found.isEmpty ? "ok" : "\(found)")
    case "run": try run(path, pageSize: number(3, 4096))
    case "write": try writeUntilKilled(path, number(3, 0))
    case "load": try load(path, number(3, 10_000), number(4, 64))
    case "state": try changeState(path, number(3, 200), number(4, 1 << 20))
    case "mutants":
        try mutants(path, number(3, 100), number(4, 1), Array(arguments[5].utf8))
    default: CurrentProcess.exit(2)
    }
} catch {
    say("error \(error)")
    CurrentProcess.exit(1)
}
