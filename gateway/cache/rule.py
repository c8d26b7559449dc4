"""What the cache may do for a model: `cache:` of `guardflow.yaml`, for all of them or for one."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

DAY_S = 86_400
Among = Literal["user", "team", "organisation"]


class CacheConfig(BaseModel):
    """`scope`: among whom an answer is shared. `charge`: what a hit costs, nothing or what the answer had cost. Who
    asks the same at the same time waits at most `wait_s` for the first one's answer; 0 is not at all."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    mode: Literal["off", "exact"] = "off"
    ttl_s: float = Field(default=3600, gt=0, le=30 * DAY_S)
    max_entry_bytes: int = Field(default=256 * 1024, ge=1024, le=16 * 1024 * 1024)
    scope: Among = "user"
    charge: Literal["none", "full"] = "none"
    wait_s: float = Field(default=30, ge=0, le=600)

    @field_validator("mode", mode="before")
    @classmethod
    def _off(cls, given: Any) -> Any:
        return "off" if given is False else given  # as YAML reads it without quotes

    @property
    def if_on(self) -> "CacheConfig | None":
        return None if self.mode == "off" else self


class AllCacheConfig(CacheConfig):
    """The part for all models. `max_total_bytes`: what all workers together may have put away."""

    max_total_bytes: int = Field(default=256 * 1024 * 1024, ge=1024 * 1024)

    def of(self, model: CacheConfig | None) -> CacheConfig:
        """The rule of a model, which says only what differs."""
        return self if model is None else self.model_copy(update=model.model_dump(exclude_unset=True))
