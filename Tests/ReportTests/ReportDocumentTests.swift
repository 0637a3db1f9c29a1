import Foundation
import Testing

@testable import Report

@Suite struct ReportDocumentTests {
    /// Elements that HTML leaves open.
    static let void: Set<String> = ["meta", "img", "br", "!doctype"]

    /// Reads a page as a stack of tags; returns what is wrong with it, or nil.
    static func fault(_ page: String) -> String? {
        var open: [String] = []
        var rest = page[...]
        while let start = rest.firstIndex(of: "<") {
            rest = rest[rest.index(after: start)...]
            guard let end = rest.firstIndex(of: ">") else { return "a tag is not closed" }
            let tag = rest[..<end]
            rest = rest[rest.index(after: end)...]
            let isClosing = tag.hasPrefix("/")
            let name = tag.drop { $0 == "/" }.prefix { $0.isLetter || $0.isNumber || $0 == "!" }.lowercased()
            if name.isEmpty { return "a stray < before \(rest.prefix(30))" }
            if isClosing {
                guard open.popLast() == name else { return "</\(name)> closes nothing" }
            } else if !tag.hasSuffix("/"), !void.contains(name) {
                open.append(name)
                if name == "script" || name == "style" {
                    guard let close = rest.range(of: "</\(name)>") else { return "\(name) is not closed" }
                    rest = rest[close.lowerBound...]
                }
            }
            if tag.filter({ $0 == "\"" }).count % 2 == 1 { return "quotes of <\(tag)> do not match" }
        }
        return open.isEmpty ? nil : "left open: \(open)"
    }

    /// Whether a drawing has a coordinate that is no number.
    static func hasBadNumber(_ page: String) -> Bool {
        page.contains(/[" (ML]-?(?:nan|inf)/)
    }

    @Test(arguments: [0, 1, 2, 12, 500])
    func pageIsWellFormedForAnySize(participants: Int) {
        let page = ReportDocument(SampleReport.input(participants: participants)).html()
        #expect(Self.fault(page) == nil)
        #expect(page.hasPrefix("<!DOCTYPE html>"))
        #expect(!Self.hasBadNumber(page))
    }

    @Test func theCheckerFindsFaults() {
        #expect(Self.fault("<p><b></p></b>") != nil)
        #expect(Self.fault("<p>a < b</p>") != nil)
        #expect(Self.fault("<p title=\"a>b</p>") != nil)
        #expect(Self.fault("<div>") != nil)
    }

    @Test func nothingIsLoadedFromElsewhere() throws {
        let page = ReportDocument(SampleReport.input(participants: 12)).html()
        let addresses = page.matches(of: /(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]*)/).map { String($0.1) }
        #expect(addresses.count > 20)
        for address in addresses {
            #expect(
                address.hasPrefix("#") || address.hasPrefix("data:") || address.hasPrefix("https://doi.org/"),
                "\(address)")
        }
        #expect(!page.contains("@import"))
    }

    @Test func everySectionShowsItsValues() {
        let page = ReportDocument(SampleReport.input(participants: 12)).html()
        for text in [
            "Synthetic cohort, calibrated.", "56 min 0 s", "HH − control, ppb", "mean χ, ppb", "age, years",
            "left_pallidum", "sub-900_T1w.nii.gz ends early", "line 1\nline 2", "overlap 0.71 is low", "(z −4.2)",
            "Recovered against true χ", "10.1002/mrm.30006", "4.0 × 10⁻⁴", "3 of 6 regions", "1.2 s", "400 MiB",
            "HH 6, control 6", "11 without flags",
        ] {
            #expect(page.contains(text), "\(text)")
        }
        // A section without content is left out, with its link.
        var input = SampleReport.input(participants: 3)
        input.effects = []
        #expect(!ReportDocument(input).html().contains("href=\"#effects\""))
        // One that was meant to have some says why it has not.
        input.effectNotes = ["Step model could model no region over 3 people."]
        let page3 = ReportDocument(input).html()
        #expect(page3.contains("href=\"#effects\"") && page3.contains("no region over 3 people."))
    }

    @Test func hostileTextStaysText() {
        var input = SampleReport.input(participants: 3)
        let evil = "<script>alert('x')</script>\"'&\u{1}"
        input.title = evil
        input.run.dataset = evil
        input.participants[0].label = evil
        input.participants[0].group = evil
        input.participants[0].site = evil
        input.regions[0].name = evil
        input.effects[0].region = evil
        input.failures[0].reason = evil
        input.failures[0].logTail = evil
        input.pictures[0].caption = evil
        input.pictures[0].flags = [evil]
        input.tables[0].rows = [[evil, evil]]
        input.provenance.inputs = [.init(evil, evil)]
        input.citations = [.init(evil, doi: evil)]
        let page = ReportDocument(input).html()
        #expect(!page.contains("<script>alert"))
        #expect(page.components(separatedBy: "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;").count > 10)
        #expect(!page.unicodeScalars.contains("\u{1}"))
        #expect(Self.fault(page) == nil)
    }

    @Test func equalInputGivesEqualText() {
        let input = SampleReport.input(participants: 20)
        #expect(ReportDocument(input).html() == ReportDocument(input).html())
    }

    @Test func flaggedPicturesComeFirstAndTheRestIsBounded() throws {
        var options = ReportOptions()
        options.maximumPictures = 15
        let page = ReportDocument(SampleReport.input(participants: 100), options: options).html()
        #expect(page.components(separatedBy: "<img ").count - 1 == 15)
        #expect(page.contains("10 flagged"))
        #expect(page.contains("85 further pictures are not embedded"))
        let flagged = try #require(page.range(of: "10 flagged"))
        let plain = try #require(page.range(of: "without flags"))
        #expect(flagged.lowerBound < plain.lowerBound)
    }

    @Test func aThousandParticipantsStaySmall() {
        var input = SampleReport.input(participants: 1000)
        input.pictures = []
        let page = ReportDocument(input).html()
        // Six regions with two drawings of a thousand points each; with a marker element per point it would be 1.5 MB.
        #expect(page.utf8.count < 400_000, "\(page.utf8.count) bytes")
    }

    @Test func damagedPicturesAreNamed() {
        var input = SampleReport.input(participants: 2)
        input.pictures[0].png = [1, 2, 3]
        #expect(ReportDocument(input).html().contains("the picture is damaged"))
        #expect(ReportInput.pixelSize(ofPNG: SampleReport.pixel)! == (1, 1))
        #expect(ReportInput.pixelSize(ofPNG: []) == nil)
    }

    @Test func warningsNameWhomTheyAreOf() {
        let page = ReportDocument(SampleReport.input(participants: 5)).html()
        #expect(page.contains("<a href=\"#warnings\">Warnings</a>"))
        #expect(
            page.contains("<td>sub-001, sub-002, sub-003 and 2 more</td><td>Region left_&lt;i&gt; has no voxel.</td>"))
        #expect(page.contains("<td>cohort</td><td>Two sites have one person each.</td>"))
        var quiet = SampleReport.input(participants: 5)
        quiet.warnings = []
        #expect(!ReportDocument(quiet).html().contains("id=\"warnings\""))
    }

    /// A run over the cohort alone names nobody, and is not about nobody.
    @Test func nobodyIsNotCounted() {
        var input = SampleReport.input(participants: 5)
        #expect(ReportDocument(input).html().contains("</b> participants</li>"))
        (input.participants, input.regions) = ([], [])
        let page = ReportDocument(input).html()
        #expect(!page.contains("</b> participants</li>") && !page.contains("regional measures"))
    }

    @Test func valuesThatAreMissingAreNotDrawn() {
        var input = SampleReport.input(participants: 8)
        input.regions[0].values = [nil, nil, nil, nil, nil, nil, nil, 5]
        input.regions[1].values = [nil, .nan, 3, 4, 5, .infinity, 9, 2]
        input.participants[2].age = nil
        input.effects[0].estimate = .nan
        input.effects[1].upper = .infinity
        let page = ReportDocument(input).html()
        #expect(page.contains("too few values to draw"))
        #expect(Self.fault(page) == nil)
        #expect(!Self.hasBadNumber(page))
    }
}

@Suite struct PlotTests {
    @Test(arguments: [(0.0, 1.0), (-37, 412), (1e-6, 3e-6), (5, 5), (0, 0), (-1e9, 1e9)])
    func axesHaveRoundTicksInsideTheirRange(low: Double, high: Double) {
        let axis = Axis([low, high, .nan], pixels: (100, 0))
        #expect(axis.low <= low && axis.high >= high)
        #expect(axis.ticks.count >= 2 && axis.ticks.count <= 12, "\(axis.ticks)")
        #expect(axis.ticks.allSatisfy { $0 >= axis.low && $0 <= axis.high })
        #expect(abs(axis.pixel(axis.low) - 100) < 1e-9 && abs(axis.pixel(axis.high)) < 1e-9)
        #expect(Set(axis.ticks.map(axis.label)).count == axis.ticks.count)
    }

    /// Volumes have six figures: the title of the axis stands beside them.
    @Test func ticksLeaveRoomForTheTitle() throws {
        let axis = Axis([120_000, 910_000], pixels: (100, 0))
        let widest = try #require(axis.ticks.map { axis.label($0).count }.max())
        #expect(widest == 6)
        // A figure is 7 units wide at this size; the title's line ends at 13.
        #expect(PlotFrame.left - 5 - 7 * Double(widest) > 13)
    }

    @Test func fitsFollowTheModel() throws {
        // value = 10 + 2·age, plus 30 in group b, without noise but for one pair.
        let ages: [Double?] = [20, 30, 40, 50, 20, 30, 40, 50, nil]
        let groups: [String?] = ["a", "a", "a", "a", "b", "b", "b", "b", "b"]
        let values = zip(ages, groups).map { age, group -> Double? in
            10 + 2 * (age ?? 0) + (group == "b" ? 30 : 0)
        }
        var noisy = values
        noisy[1] = values[1]! + 1
        noisy[2] = values[2]! - 1
        let fit = try #require(AgeFit(ages: ages, values: noisy, groups: groups, series: Series(groups)))
        #expect(fit.bands.map(\.series) == [0, 1])
        let last = try #require(fit.bands[1].points.last)
        #expect(last.age == 50 && abs(last.value - 140) < 1.5)
        #expect(last.lower < last.value && last.value < last.upper)
        #expect(AgeFit(ages: [50, 50, 50, 50, 50], values: [1, 2, 3, 4, 5], groups: [], series: Series([])) == nil)
    }

    @Test func numbersReadWell() {
        #expect(Numbers.short(0) == "0")
        #expect(Numbers.short(-12.345) == "−12.3")
        #expect(Numbers.short(1234.5) == "1234" || Numbers.short(1234.5) == "1235")
        #expect(Numbers.short(0.012345) == "0.0123")
        #expect(Numbers.short(.nan) == "–")
        #expect(Numbers.short(3.2e-9) == "3.20 × 10⁻⁹")
        #expect(Numbers.probability(0.04321) == "0.043")
        #expect(Numbers.probability(0.0000123) == "1.2 × 10⁻⁵")
        #expect(Numbers.probability(nil) == "–")
        #expect(Numbers.fixed(-0.0001, 2) == "0.00")
        #expect(Numbers.duration(7322) == "2 h 2 min")
        #expect(Numbers.plain(0.05) == "0.05" && Numbers.plain(12) == "12")
        #expect(Numbers.decimals(showing: 6.3) == 1 && Numbers.decimals(showing: 0.04) == 3)
        #expect(Numbers.decimals(showing: 4e7) == 0 && Numbers.decimals(showing: 0) == 2)
        #expect(Numbers.coordinate(-0.25) == "-0.25")
        #expect(Numbers.coordinate(3.1) == "3.1")
        #expect(Numbers.coordinate(7.004) == "7")
        #expect(Numbers.bytes(3 << 30) == "3.0 GiB")
    }

    @Test func markersTellSeriesApart() {
        let series = Series(["b", "a", nil, "b"])
        #expect(series.names == ["a", "b", "not given"])
        #expect(series.place("b") == 1 && series.place(nil) == 2)
        #expect(Series([nil, nil]).names.isEmpty)
        #expect(Series([nil, nil]).count == 1)
        #expect(series.legend.text.contains("href=\"#m2\""))
    }

    @Test func aTrainingHasItsCurvesAndItsScores() throws {
        var input = SampleReport.input(participants: 2)
        #expect(!ReportDocument(input).html().contains("id=\"training\""))
        let epochs = (1...5).map { n in
            ReportInput.Training.Epoch(
                number: n, trainingLoss: 2 / Double(n), validationLoss: n == 3 ? .nan : 2.5 / Double(n),
                metric: Double(n) / 10)
        }
        input.trainings = [
            .init(
                step: "train <b>", facts: [.init("network", "U-Net & co")], metricName: "patch_dice", epochs: epochs,
                bestEpoch: 4, scores: [.init("Dice of caudate, whole images", 0.876)]),
            .init(step: "short", facts: [], metricName: "loss", epochs: [epochs[0]], bestEpoch: nil, scores: []),
        ]
        let page = ReportDocument(input).html()
        #expect(ReportDocumentTests.fault(page) == nil && !ReportDocumentTests.hasBadNumber(page))
        let section = try #require(page.range(of: "<section id=\"training\">").map { page[$0.lowerBound...] })
        #expect(section.contains("Step train &lt;b&gt;") && section.contains("U-Net &amp; co"))
        #expect(
            section.contains("Loss against the epoch of step train") && section.contains("patch dice against the epoch")
        )
        // A line of loss for each part; the one of validation leaves out what is no number, but not the rest.
        let lines = section.matches(of: /class="fit s[01]" d="([^"]*)"/).map { $0.1.filter { $0 == "L" }.count }
        #expect(lines == [4, 3, 4])
        #expect(section.contains("epoch 4, whose weights were kept") && section.contains("0.876"))
        #expect(section.contains("too few epochs to draw"))
    }
}
