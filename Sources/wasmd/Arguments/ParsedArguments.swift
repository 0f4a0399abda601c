/// A command line that matches the table: a command, its options and its operands.
struct ParsedArguments: Equatable {
    let verb: Command.Verb
    /// Options in the order in which they were given.
    var options: [(name: String, value: Word)] = []
    /// The operands.
    var words: [Word] = []

    var command: Command { Command.of(verb) }

    func has(_ option: Option) -> Bool { options.contains { $0.name == option.name } }

    /// The operands as text: see `Word.text`.
    var operands: [String] { words.map(\.text) }

    /// The value that counts: the last one. As text: see `Word.text`.
    func value(of option: Option) -> String? { word(of: option)?.text }
    func values(of option: Option) -> [String] { words(of: option).map(\.text) }

    /// The value that counts: the last one. For paths, and what is passed on.
    func word(of option: Option) -> Word? { options.last { $0.name == option.name }?.value }

    func words(of option: Option) -> [Word] {
        options.filter { $0.name == option.name }.map(\.value)
    }

    static func == (a: ParsedArguments, b: ParsedArguments) -> Bool {
        a.verb == b.verb && a.words == b.words
            && a.options.elementsEqual(b.options) { $0 == $1 }
    }
}
