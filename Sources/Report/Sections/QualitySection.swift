import Foundation

extension ReportInput {
    /// Mosaics, those that need a look first; the rest folded, and no more of them than a browser bears.
    func qualitySection(_ options: ReportOptions) -> HTML {
        guard !pictures.isEmpty else { return .empty }
        let flagged = pictures.filter { !$0.flags.isEmpty }
        let others = pictures.filter(\.flags.isEmpty)
        let shownFlagged = flagged.prefix(options.maximumPictures)
        let shownOthers = others.prefix(options.maximumPictures - shownFlagged.count)
        let left = flagged.dropFirst(shownFlagged.count) + others.dropFirst(shownOthers.count)
        let wall: HTML =
            shownFlagged.isEmpty
            ? "<p>No picture is flagged.</p>"
            : "<h3>\(flagged.count) flagged</h3><div class=\"wall\">\(shownFlagged.html(Self.figure))</div>"
        let rest: HTML =
            shownOthers.isEmpty
            ? .empty
            : "<details><summary>\(shownOthers.count) without flags</summary><div class=\"wall small\">\(shownOthers.html(Self.figure))</div></details>"
        let omitted: HTML =
            left.isEmpty
            ? .empty
            : "<p>\(left.count) further pictures are not embedded: \(left.prefix(50).map(\.participant).joined(separator: ", "))\(left.count > 50 ? ", …" : "").</p>"
        return "<section id=\"quality\"><h2>Quality control</h2>\(wall)\(rest)\(omitted)</section>"
    }

    private static func figure(_ picture: Picture) -> HTML {
        let flags: HTML =
            picture.flags.isEmpty
            ? .empty : "<ul class=\"flags\">\(picture.flags.html { "<li>\($0)</li>" })</ul>"
        let metrics = picture.metrics.html { metric in
            let score: HTML = metric.score.map { " <span class=\"quiet\">(z \(Numbers.fixed($0, 1)))</span>" } ?? .empty
            return "<li>\(metric.name) \(Numbers.short(metric.value)) \(metric.unit)\(score)</li>"
        }
        let list: HTML = picture.metrics.isEmpty ? .empty : "<ul class=\"metrics\">\(metrics)</ul>"
        return """
            <figure><figcaption><b>\(picture.participant)</b> <span class="quiet">\(picture.caption)</span></figcaption>\
            \(flags)\(image(picture))\(list)</figure>
            """
    }

    private static func image(_ picture: Picture) -> HTML {
        guard let size = pixelSize(ofPNG: picture.png) else { return "<p class=\"bad\">the picture is damaged</p>" }
        let data = Data(picture.png).base64EncodedString()
        return
            "<img loading=\"lazy\" decoding=\"async\" width=\"\(size.width)\" height=\"\(size.height)\" alt=\"\(picture.caption) of \(picture.participant)\" src=\"data:image/png;base64,\(HTML(escaping: data))\">"
    }

    /// Width and height from the first chunk; nil when the bytes are no PNG file.
    static func pixelSize(ofPNG bytes: [UInt8]) -> (width: Int, height: Int)? {
        let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        guard bytes.count >= 24, Array(bytes.prefix(8)) == signature else { return nil }
        func number(_ at: Int) -> Int { bytes[at..<(at + 4)].reduce(0) { $0 << 8 | Int($1) } }
        return (number(16), number(20))
    }
}
