import Glibc
import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop
import WasmdGuests

// Guests that wait on sockets which the event loop gives them; their clients are in processes of
// their own.
//
//     swift run -c release --package-path Benchmarks measure-guests GUESTS [--eager] [--settle SECONDS]
//     measure-guests --relay PORT TARGET-PORT
//
// The first form prints what a guest takes, and ends with 1 if that is more than promised. With
// --eager the guests ask for ever whether they may write; the idle time is then measured after they
// were told so for SECONDS (default 15), at ever longer intervals. The second form copies between
// connections to PORT and connections to TARGET-PORT by guests, for `measure-copying`.

var words = Array(CommandLine.arguments.dropFirst())
do {
    if words.first == "--clients", words.count == 3 {
        try runClients(count: Int(words[1]) ?? 0, path: words[2])
    } else if words.first == "--relay", words.count == 3 {
        try relay(from: UInt16(words[1]) ?? 0, to: UInt16(words[2]) ?? 0)
    } else {
        var settings = Settings()
        while let word = words.first {
            words.removeFirst()
            switch word {
            case "--eager": settings.isEager = true
            case "--settle":
                settings.settling = Int(words.first ?? "") ?? settings.settling
                words = Array(words.dropFirst())
            default: settings.count = Int(word) ?? settings.count
            }
        }
        exit(try Measurement(settings).run() ? 0 : 1)
    }
} catch {
    print("measure-guests: \(error)")
    exit(2)
}
