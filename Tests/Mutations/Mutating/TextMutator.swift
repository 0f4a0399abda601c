/// Makes the text of every case, from a seed number and the texts to start from.
struct TextMutator {
    let seed: UInt64
    /// Scripts and modules in pieces: runs of neighbouring forms that are not too long.
    private let pieces: [[UInt8]]
    /// Whether the cases are modules; otherwise they are scripts.
    private let isModule: Bool
    private static let pieceLength = 6000

    init(seed: UInt64, texts: [[UInt8]], isModule: Bool) {
        self.seed = seed
        self.isModule = isModule
        pieces = texts.flatMap { text in Self.pieces(text, isModule: isModule) }
    }

    private static func pieces(_ text: [UInt8], isModule: Bool) -> [[UInt8]] {
        let forms = TextMutations.forms(text).map { Array(text[$0]) }
        if isModule { return forms.filter { $0.starts(with: "(module".utf8) && $0.count < 40_000 } }
        var result: [[UInt8]] = []
        var piece: [UInt8] = []
        for form in forms where form.count < 40_000 {
            if piece.count + form.count > pieceLength, !piece.isEmpty {
                result.append(piece)
                piece = []
            }
            piece += form + [0x0a]
        }
        return piece.isEmpty ? result : result + [piece]
    }

    func text(of number: Int) -> (text: [UInt8], random: RandomNumbers) {
        var random = RandomNumbers(seed: seed, case: UInt64(number))
        guard var text = random.element(of: pieces) else { return ([], random) }
        var rounds = 1
        while rounds < 6, random.oneIn(2) { rounds += 1 }
        for _ in 0..<rounds {
            let other = random.element(of: pieces) ?? text
            TextMutations.mutate(&text, other: other, &random)
        }
        return (text, random)
    }
}
