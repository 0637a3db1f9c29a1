/// Sensitivity against false alarms per image over all thresholds of a detector's score (free-response ROC).
///
/// Which finding belongs to which lesion is decided once, for all findings; a threshold then only takes findings away.
package struct FreeResponseCurve: Sendable, Equatable {
    package struct Point: Sendable, Equatable {
        /// Findings with this score or a higher one are kept.
        package let threshold: Double
        package let falseAlarmsPerImage: Double
        package let sensitivity: Double
    }

    /// By falling threshold, one per distinct score.
    package let points: [Point]
    package let lesions: Int
    package let images: Int

    /// - Parameters:
    ///   - lesionScores: of every lesion the highest score of the findings that found it; nil for missed ones.
    ///   - falseAlarmScores: of the findings that found none.
    ///   - images: how many were looked at, with and without lesions.
    /// - Throws: `StatisticsError` without an image or a lesion, or for scores that are not finite.
    package init(lesionScores: [Double?], falseAlarmScores: [Double], images: Int) throws(StatisticsError) {
        guard images > 0, !lesionScores.isEmpty else {
            throw .pairing("lesions", lesionScores.count, "images", images)
        }
        let found = lesionScores.compactMap { $0 }.sorted(by: >)
        let alarms = falseAlarmScores.sorted(by: >)
        guard (found + alarms).allSatisfy(\.isFinite) else { throw .notFinite("a score") }
        var points: [Point] = []
        var (f, a) = (0, 0)
        while f < found.count || a < alarms.count {
            let threshold = max(
                f < found.count ? found[f] : -.infinity, a < alarms.count ? alarms[a] : -.infinity)
            while f < found.count, found[f] >= threshold { f += 1 }
            while a < alarms.count, alarms[a] >= threshold { a += 1 }
            points.append(
                Point(
                    threshold: threshold, falseAlarmsPerImage: Double(a) / Double(images),
                    sensitivity: Double(f) / Double(lesionScores.count)))
        }
        self.points = points
        (lesions, self.images) = (lesionScores.count, images)
    }

    /// The best that is reached with at most so many false alarms per image; 0 where even the first threshold has more.
    package func sensitivity(atFalseAlarmsPerImage limit: Double) -> Double {
        points.last { $0.falseAlarmsPerImage <= limit }?.sensitivity ?? 0
    }
}
