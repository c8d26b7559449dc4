"""What signing in takes and gives."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from admin.schema import Noun, Password, Text


class LoginBody(BaseModel):
    """A form or JSON; `username` and `email` are the same thing. Other fields (OAuth2's `grant_type`…) are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    username: Text = ""
    email: Text = ""
    password: Password = Field(repr=False)

    @model_validator(mode="after")
    def _somebody(self) -> "LoginBody":
        if not self.login:
            raise ValueError("username (or email) is required")
        return self

    @property
    def login(self) -> str:
        return self.username or self.email


class RefreshBody(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    refresh_token: Text = Field(repr=False)


class LogoutBody(BaseModel):
    """Without a refresh token the session of the bearer ends."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    refresh_token: Text | None = Field(default=None, repr=False)


class SignedInUser(Noun):
    id: int
    email: str
    name: str
    role: str


class Session(Noun):
    access_token: str = Field(repr=False)
    token_type: Literal["bearer"]
    expires_in: int
    refresh_token: str = Field(repr=False)
    user: SignedInUser


class Me(SignedInUser):
    permissions: list[str]
    last_login_at: datetime | None
