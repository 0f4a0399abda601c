import Glibc

// Guests that wait on sockets, all on one thread; their clients are in a process of their own.
//
//     swift run -c release --package-path Benchmarks measure-waiting [GUESTS]
//     measure-waiting --run [--env NAME=VALUE]... [--root FOLDER] FILE [ARGUMENT]...
//
// The second form runs one program with the same loop: see `Scripts/wasi-testsuite`. The first
// prints what a guest takes, and ends with 1 if that is more than promised: see `Promises`.

let words = CommandLine.arguments.dropFirst()
if words.first == "--clients" {
    runClients(words.dropFirst().compactMap { Int32($0) })
} else if words.first == "--run" {
    do {
        try exit(runProgram(Array(words.dropFirst())))
    } catch {
        print("measure-waiting: \(error)")
        exit(2)
    }
} else {
    let count = words.first.flatMap { Int($0) } ?? 1000
    do {
        try exit(House(guests: count).measure() ? 0 : 1)
    } catch {
        print("measure-waiting: \(error)")
        exit(2)
    }
}
