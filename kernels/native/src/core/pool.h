#pragma once

namespace statescope {

void setThreadCount(int count);

}  // namespace statescope
