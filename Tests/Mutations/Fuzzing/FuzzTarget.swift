// What libFuzzer calls; `Scripts/fuzz` builds it.

import Glibc

/// The layer that the environment names.
private let layer =
    Layer(
        rawValue: getenv("LAYER").map { String(cString: $0) } ?? "") ?? .running

/// Runs one input. Ends the process if two ways to a result give different ones.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafeRawPointer, _ count: Int) -> CInt {
    let bytes = Array(UnsafeRawBufferPointer(start: start, count: count))
    // The input decides everything.
    var sum = Checksum()
    for byte in bytes { sum.add(byte) }
    var random = RandomNumbers(seed: sum.value)
    let tally =
        switch layer {
        case .text: TextCases.parse(bytes, &random)
        case .script: TextCases.read(bytes, &random)
        case .wasi: WASICases.run(random, hostFolder: "/")
        case .differential: DifferentialCases.compare([bytes], fuel: 20_000, isStressed: true)
        case .json, .toml, .bson, .form, .multipart, .names:
            DocumentCases.run(bytes, layer, &random)
        case .decoding, .printing, .translation, .running: CaseSource.run(bytes, layer, random)
        }
    if tally.outcomes[Outcome.disagreed.rawValue] > 0 { abort() }
    if tally.outcomes[Outcome.tookTooLong.rawValue] > 0 { abort() }
    return 0
}
