/// An annotation that has a meaning.
struct Annotation {
    enum Kind {
        case custom, name, branchHint
        /// wasmd's own.
        case padding, names, offsets

        init?(name: some Sequence<UInt8>) {
            if name.elementsEqual("custom".utf8) {
                self = .custom
            } else if name.elementsEqual("name".utf8) {
                self = .name
            } else if name.elementsEqual("metadata.code.branch_hint".utf8) {
                self = .branchHint
            } else if name.elementsEqual("wasmd.padding".utf8) {
                self = .padding
            } else if name.elementsEqual("wasmd.names".utf8) {
                self = .names
            } else if name.elementsEqual("wasmd.offsets".utf8) {
                self = .offsets
            } else {
                return nil
            }
        }
    }

    /// As the lexer finds it.
    struct Found {
        var kind: Kind
        var range: Range<Int>
        /// What is between the name and the closing parenthesis.
        var content: Range<Int>
    }

    var kind: Kind
    var range: Range<Int>
    var content: Range<Int>
    /// The place of the token that follows.
    var tokenIndex: Int
    /// Whether it stood where it has a meaning.
    var isUsed = false

    init(_ found: Found, before tokenIndex: Int) {
        kind = found.kind
        range = found.range
        content = found.content
        self.tokenIndex = tokenIndex
    }
}
