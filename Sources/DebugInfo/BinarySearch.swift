extension RandomAccessCollection where Index == Int {
    /// The first index whose element is in the second part of a collection that is in two parts;
    /// the collection's end if there is none.
    package func partition(_ isInSecondPart: (Element) -> Bool) -> Int {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if isInSecondPart(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
