/// The patterns of a `.bidsignore` file: the syntax of gitignore.
///
/// The last pattern that matches decides. A pattern with a slash before its end is relative to the root, any other
/// matches at every depth; `!` takes back; a trailing `/` matches folders only; `**` crosses folders.
package struct BIDSIgnore: Sendable {
    private struct Pattern: Sendable {
        let segments: [Segment]
        let isNegated: Bool
        let foldersOnly: Bool
    }

    private enum Segment: Sendable {
        case anyDepth
        case glob([Token])
    }

    private enum Token: Sendable {
        case literal(Character)
        case anyCharacter
        case anyRun
        case set([ClosedRange<Character>], isNegated: Bool)
    }

    private let patterns: [Pattern]

    package init(text: String) {
        patterns = text.split(omittingEmptySubsequences: true, whereSeparator: \.isNewline)
            .compactMap { Self.pattern(String($0)) }
    }

    package static let none = BIDSIgnore(text: "")

    package var isEmpty: Bool { patterns.isEmpty }

    /// - Parameter path: relative to the dataset's root, without a leading or trailing slash.
    package func ignores(_ path: String, isFolder: Bool) -> Bool {
        if patterns.isEmpty { return false }
        let parts = path.split(separator: "/").map(Array.init)
        // A folder that is ignored takes all below it along, whatever later patterns say: as git does.
        for count in 1...max(1, parts.count) where count <= parts.count {
            if decides(parts[..<count], isFolder: count < parts.count || isFolder) { return true }
        }
        return false
    }

    private func decides(_ parts: ArraySlice<[Character]>, isFolder: Bool) -> Bool {
        for pattern in patterns.reversed() where isFolder || !pattern.foldersOnly {
            if Self.matches(pattern.segments[...], parts) { return !pattern.isNegated }
        }
        return false
    }

    // MARK: - Compiling

    private static func pattern(_ line: String) -> Pattern? {
        var text = line[...]
        while text.hasSuffix(" ") && !text.hasSuffix("\\ ") { text = text.dropLast() }
        if text.isEmpty || text.hasPrefix("#") { return nil }
        var isNegated = false
        if text.hasPrefix("!") {
            isNegated = true
            text = text.dropFirst()
        }
        let foldersOnly = text.hasSuffix("/")
        if foldersOnly { text = text.dropLast() }
        let isAnchored = text.contains("/")
        if text.hasPrefix("/") { text = text.dropFirst() }
        if text.isEmpty { return nil }
        var segments: [Segment] = isAnchored ? [] : [.anyDepth]
        for part in text.split(separator: "/") {
            segments.append(part == "**" ? .anyDepth : .glob(tokens(Array(part))))
        }
        return Pattern(segments: segments, isNegated: isNegated, foldersOnly: foldersOnly)
    }

    private static func tokens(_ part: [Character]) -> [Token] {
        var tokens: [Token] = []
        var index = 0
        while index < part.count {
            switch part[index] {
            case "*": tokens.append(.anyRun)
            case "?": tokens.append(.anyCharacter)
            case "\\" where index + 1 < part.count:
                index += 1
                tokens.append(.literal(part[index]))
            case "[":
                if let (set, end) = set(part, from: index) {
                    tokens.append(set)
                    index = end
                } else {
                    tokens.append(.literal("["))
                }
            default: tokens.append(.literal(part[index]))
            }
            index += 1
        }
        return tokens
    }

    /// `[a-z]`, `[!abc]`; nil when the bracket is not closed, which makes it an ordinary character.
    private static func set(_ part: [Character], from start: Int) -> (Token, end: Int)? {
        var index = start + 1
        var isNegated = false
        if index < part.count, part[index] == "!" || part[index] == "^" {
            isNegated = true
            index += 1
        }
        var ranges: [ClosedRange<Character>] = []
        while index < part.count, part[index] != "]" || ranges.isEmpty {
            let low = part[index]
            if index + 2 < part.count, part[index + 1] == "-", part[index + 2] != "]", low <= part[index + 2] {
                ranges.append(low...part[index + 2])
                index += 3
            } else {
                ranges.append(low...low)
                index += 1
            }
        }
        guard index < part.count else { return nil }
        return (.set(ranges, isNegated: isNegated), index)
    }

    // MARK: - Matching

    private static func matches(_ segments: ArraySlice<Segment>, _ parts: ArraySlice<[Character]>) -> Bool {
        guard let segment = segments.first else { return parts.isEmpty }
        switch segment {
        case .anyDepth:
            let rest = segments.dropFirst()
            // A trailing ** means everything below, not the folder itself.
            if rest.isEmpty { return !parts.isEmpty }
            return (parts.startIndex...parts.endIndex).contains { matches(rest, parts[$0...]) }
        case .glob(let tokens):
            guard let part = parts.first, matches(tokens[...], part[...]) else { return false }
            return matches(segments.dropFirst(), parts.dropFirst())
        }
    }

    /// Iterative glob with one point to return to: time is at most tokens × characters.
    private static func matches(_ tokens: ArraySlice<Token>, _ text: ArraySlice<Character>) -> Bool {
        var token = tokens.startIndex
        var position = text.startIndex
        var resume: (token: Int, position: Int)?
        while position < text.endIndex {
            if token < tokens.endIndex, case .anyRun = tokens[token] {
                resume = (token + 1, position)
                token += 1
            } else if token < tokens.endIndex, matches(tokens[token], text[position]) {
                token += 1
                position += 1
            } else if let (resumeToken, resumePosition) = resume {
                token = resumeToken
                position = resumePosition + 1
                resume = (resumeToken, position)
            } else {
                return false
            }
        }
        while token < tokens.endIndex, case .anyRun = tokens[token] { token += 1 }
        return token == tokens.endIndex
    }

    private static func matches(_ token: Token, _ character: Character) -> Bool {
        switch token {
        case .literal(let literal): literal == character
        case .anyCharacter: true
        case .anyRun: false
        case .set(let ranges, let isNegated): ranges.contains { $0.contains(character) } != isNegated
        }
    }
}
