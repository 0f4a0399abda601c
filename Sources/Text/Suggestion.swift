/// Finds the known word that is closest to a misspelled one.
package enum Suggestion {
    /// The candidate with the fewest typing mistakes between it and `word`, if they are few.
    ///
    /// Costs the product of the lengths for each candidate; longer words than `lengthLimit` and
    /// more candidates than `candidateLimit` are left alone, since modules may export anything.
    package static func best(for word: String, in candidates: [String]) -> String? {
        let target = Array(word.utf8)
        guard !target.isEmpty, target.count <= lengthLimit else { return nil }
        // A third of the letters may be wrong.
        var allowed = max(1, target.count / 3)
        var best: String?
        for candidate in candidates.prefix(candidateLimit) {
            let letters = Array(candidate.utf8)
            guard letters.count <= lengthLimit, abs(letters.count - target.count) <= allowed,
                let distance = distance(target, letters, atMost: allowed)
            else { continue }
            if distance < allowed || best == nil {
                best = candidate
                allowed = distance
            }
        }
        return best ?? completed(word, from: candidates)
    }

    static let lengthLimit = 64
    static let candidateLimit = 10_000

    /// The only candidate that begins with `word`.
    private static func completed(_ word: String, from candidates: [String]) -> String? {
        guard word.utf8.count >= 2 else { return nil }
        let matches = candidates.prefix(candidateLimit).filter { $0.hasPrefix(word) }
        return matches.count == 1 ? matches[0] : nil
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`, or nil
    /// if they are more than `limit` (optimal string alignment distance).
    static func distance(_ a: [UInt8], _ b: [UInt8], atMost limit: Int) -> Int? {
        var beforePrevious: [Int] = []
        var previous = Array(0...b.count)
        for row in 0..<a.count {
            var current = [row + 1]
            current.reserveCapacity(b.count + 1)
            for column in 0..<b.count {
                let replaced = previous[column] + (a[row] == b[column] ? 0 : 1)
                var cost = min(replaced, previous[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, a[row] == b[column - 1], a[row - 1] == b[column] {
                    cost = min(cost, beforePrevious[column - 1] + 1)
                }
                current.append(cost)
            }
            if let least = current.min(), least > limit { return nil }
            beforePrevious = previous
            previous = current
        }
        guard let distance = previous.last, distance <= limit else { return nil }
        return distance
    }
}
