"""Before and after in one picture, parted by a line that follows the mouse."""

from .qt import Qt, QtCore, QtGui, QtWidgets, mouse_x


class Wipe(QtWidgets.QWidget):
    """show_pair(before, after) with QImages of the same proportions, before may be None; position: 0 to 1 of the width."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self.before = self.after = None
        self.position = 0.5
        self.caption = ""
        self.setMinimumHeight(60)
        self.setToolTip("Before on the left, after on the right: drag the line.")
        self.setCursor(QtGui.QCursor(Qt.CursorShape.SplitHCursor))

    def show_pair(self, before, after, caption=""):
        self.before, self.after, self.caption = before, after, caption
        self.updateGeometry()
        self.update()

    def hasHeightForWidth(self):
        return True

    def heightForWidth(self, width):
        if self.after is None or self.after.isNull():
            return 60
        return min(320, max(60, width * self.after.height() // max(1, self.after.width())))

    def sizeHint(self):
        return QtCore.QSize(240, self.heightForWidth(240))

    def mousePressEvent(self, event):
        self.mouseMoveEvent(event)

    def mouseMoveEvent(self, event):
        left, width = self._frame().x(), max(1, self._frame().width())
        self.position = min(1.0, max(0.0, (mouse_x(event) - left) / float(width)))
        self.update()

    def _frame(self):
        """Where the picture is drawn: as large as fits, in the middle."""
        size = self.after.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        return QtCore.QRect(
            (self.width() - size.width()) // 2, (self.height() - size.height()) // 2, size.width(), size.height()
        )

    def paintEvent(self, event):
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        if self.after is None or self.after.isNull():
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "Before and after appear here.")
            painter.end()
            return
        frame = self._frame()
        painter.drawImage(frame, self.after)
        if self.before is not None and not self.before.isNull():
            split = frame.x() + int(frame.width() * self.position)
            painter.setClipRect(QtCore.QRect(frame.x(), frame.y(), split - frame.x(), frame.height()))
            painter.drawImage(frame, self.before)
            painter.setClipping(False)
            painter.setPen(QtGui.QPen(QtGui.QColor(255, 255, 255), 2))
            painter.drawLine(split, frame.top(), split, frame.bottom())
        if self.caption:
            painter.setPen(QtGui.QColor(255, 255, 255))
            painter.fillRect(
                QtCore.QRect(frame.x(), frame.y(), painter.fontMetrics().horizontalAdvance(self.caption) + 8, 18),
                QtGui.QColor(0, 0, 0, 140),
            )
            painter.drawText(frame.x() + 4, frame.y() + 13, self.caption)
        painter.end()
